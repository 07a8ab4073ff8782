// The loop of `lanes` in integers: rows of `a` and weights are bytes, four rows of k to a word, with a scale for 32 of them.
// APART: bytes become integers before rows are handed round; otherwise the language's own dot product takes them.
const BLOCKS = ROWS / TEAM; // four
alias Ints = array<vec4i, 2u * TEAM>;
alias Sums = array<vec4f, 2u * TEAM>;

// Row i of four is in member i.
struct Rows {
  r0: vec4i,
  r1: vec4i,
  r2: vec4i,
  r3: vec4i,
}

@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> a_scale: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<vec4u>;
@group(0) @binding(3) var<storage, read> weight_scale: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

fn bytes_of(words: vec4u) -> Rows {
  let q = bitcast<vec4i>(words);
  let by = vec4u(24u);
  return Rows((q << by) >> by, (q << vec4u(16u)) >> by, (q << vec4u(8u)) >> by, q >> by);
}

fn dots(x: u32, words: vec4u) -> vec4i {
  return vec4i(
    dot4I8Packed(x, words.x), dot4I8Packed(x, words.y), dot4I8Packed(x, words.z), dot4I8Packed(x, words.w),
  );
}

@diagnostic(off, subgroup_uniformity)
fn add_block(own: u32, lo: vec4u, hi: vec4u, ints: ptr<function, Ints>) {
  if (APART) {
    let mine = bytes_of(vec4u(own));
    let l = bytes_of(lo);
    let h = bytes_of(hi);
    for (var i = 0u; i < TEAM; i++) {
      let x0 = subgroupShuffle(mine.r0.x, i);
      let x1 = subgroupShuffle(mine.r1.x, i);
      let x2 = subgroupShuffle(mine.r2.x, i);
      let x3 = subgroupShuffle(mine.r3.x, i);
      (*ints)[i] += x0 * l.r0 + x1 * l.r1 + x2 * l.r2 + x3 * l.r3;
      (*ints)[TEAM + i] += x0 * h.r0 + x1 * h.r1 + x2 * h.r2 + x3 * h.r3;
    }
  } else {
    for (var i = 0u; i < TEAM; i++) {
      let x = subgroupShuffle(own, i);
      (*ints)[i] += dots(x, lo);
      (*ints)[TEAM + i] += dots(x, hi);
    }
  }
}

@diagnostic(off, subgroup_uniformity)
fn scale_block(own: f32, lo: vec4f, hi: vec4f, ints: ptr<function, Ints>, sums: ptr<function, Sums>) {
  for (var i = 0u; i < TEAM; i++) {
    let x = subgroupShuffle(own, i);
    (*sums)[i] += vec4f((*ints)[i]) * (x * lo);
    (*sums)[TEAM + i] += vec4f((*ints)[TEAM + i]) * (x * hi);
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = params.cols / 8u;
  let group = workgroup.x * LANES + local.x;
  let g = min(group, groups - 1u);
  let row = workgroup.y * ROWS;
  let words = params.k / 4u;
  let scales = params.k / 32u;
  var rows: array<u32, BLOCKS>;
  for (var b = 0u; b < BLOCKS; b++) {
    rows[b] = min(row + b * TEAM + local.x % TEAM, params.rows - 1u);
  }
  let column = column_at(0u, g, groups, words);
  var sums: array<Sums, BLOCKS>;
  for (var s = 0u; s < scales; s++) {
    var ints = array<Ints, BLOCKS>();
    let end = min(8u * s + 8u, words); // keeps the loop from unrolling
    for (var k = 8u * s; k < end; k++) {
      let at = 2u * (column.first + k * column.step);
      let lo = weights[at];
      let hi = weights[at + 1u];
      add_block(a[rows[0] * params.a_stride + k], lo, hi, &ints[0]);
      add_block(a[rows[1] * params.a_stride + k], lo, hi, &ints[1]);
      add_block(a[rows[2] * params.a_stride + k], lo, hi, &ints[2]);
      add_block(a[rows[3] * params.a_stride + k], lo, hi, &ints[3]);
    }
    let lo = weight_scale[2u * (s * groups + g)];
    let hi = weight_scale[2u * (s * groups + g) + 1u];
    scale_block(a_scale[rows[0] * scales + s], lo, hi, &ints[0], &sums[0]);
    scale_block(a_scale[rows[1] * scales + s], lo, hi, &ints[1], &sums[1]);
    scale_block(a_scale[rows[2] * scales + s], lo, hi, &ints[2], &sums[2]);
    scale_block(a_scale[rows[3] * scales + s], lo, hi, &ints[3], &sums[3]);
  }
  if (group >= groups) {
    return;
  }
  let all = sums;
  for (var i = 0u; i < min(ROWS, params.rows - row); i++) {
    let at = (row + i) * (params.c_stride / 4u) + 2u * group;
    c[at] = all[i / TEAM][i % TEAM];
    c[at + 1u] = all[i / TEAM][TEAM + i % TEAM];
  }
}
