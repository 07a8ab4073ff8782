// One subgroup computes 24 slots of one expert x (8 columns a lane), as matmul_lanes does rows; the slots' rows of `a`
// lie apart, which a gather does not mind.
struct Params {
  k: u32,
  cols: u32,
  a_stride: u32,
  c_stride: u32,
  expert0: u32,
  expert_count: u32,
  list_stride: u32,
  a_div: u32,
  a_row0: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;
@group(0) @binding(2) var<storage, read> tiles: array<vec2u>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

fn mac(x: vec4f, w0: vec4f, w1: vec4f, w2: vec4f, w3: vec4f, sum: vec4f) -> vec4f {
  return fma(vec4f(x.w), w3, fma(vec4f(x.z), w2, fma(vec4f(x.y), w1, fma(vec4f(x.x), w0, sum))));
}

// First word in `a` of the row that feeds a slot.
fn row_of(slot: u32) -> u32 {
  return (params.a_row0 + slot / params.a_div) * (params.a_stride / 4u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let tile = tiles[workgroup.y];
  // Tiles of other slices run no rounds and store nothing: an early return triples the compile time.
  let mine = tile.x - params.expert0 < params.expert_count;
  let expert = select(params.expert0, tile.x, mine);
  let list = expert * params.list_stride + select(0u, tile.y, mine);
  let rows = select(0u, min(24u, counts[expert] - tile.y), mine);
  let last = max(rows, 1u) - 1u;
  let groups = (params.cols + 7u) / 8u;
  let group = workgroup.x * LANES + local.x;
  let g = min(group, groups - 1u); // surplus lanes repeat the last group and store nothing
  let w = (expert - params.expert0) * params.k * groups + g;
  let lane = local.x % 8u;
  let r0 = row_of(lists[list + min(lane, last)]);
  let r1 = row_of(lists[list + min(8u + lane, last)]);
  let r2 = row_of(lists[list + min(16u + lane, last)]);
  var s0 = vec4f(); var t0 = vec4f();
  var s1 = vec4f(); var t1 = vec4f();
  var s2 = vec4f(); var t2 = vec4f();
  var s3 = vec4f(); var t3 = vec4f();
  var s4 = vec4f(); var t4 = vec4f();
  var s5 = vec4f(); var t5 = vec4f();
  var s6 = vec4f(); var t6 = vec4f();
  var s7 = vec4f(); var t7 = vec4f();
  var s8 = vec4f(); var t8 = vec4f();
  var s9 = vec4f(); var t9 = vec4f();
  var s10 = vec4f(); var t10 = vec4f();
  var s11 = vec4f(); var t11 = vec4f();
  var s12 = vec4f(); var t12 = vec4f();
  var s13 = vec4f(); var t13 = vec4f();
  var s14 = vec4f(); var t14 = vec4f();
  var s15 = vec4f(); var t15 = vec4f();
  var s16 = vec4f(); var t16 = vec4f();
  var s17 = vec4f(); var t17 = vec4f();
  var s18 = vec4f(); var t18 = vec4f();
  var s19 = vec4f(); var t19 = vec4f();
  var s20 = vec4f(); var t20 = vec4f();
  var s21 = vec4f(); var t21 = vec4f();
  var s22 = vec4f(); var t22 = vec4f();
  var s23 = vec4f(); var t23 = vec4f();
  for (var k = 0u; k < select(0u, params.k / 4u, mine); k++) {
    let x0 = a[r0 + k];
    let x1 = a[r1 + k];
    let x2 = a[r2 + k];
    let w0 = weight8(w + 4u * k * groups);
    let w1 = weight8(w + (4u * k + 1u) * groups);
    let w2 = weight8(w + (4u * k + 2u) * groups);
    let w3 = weight8(w + (4u * k + 3u) * groups);
    { let x = subgroupBroadcast(x0, 0u); s0 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s0); t0 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t0); }
    { let x = subgroupBroadcast(x0, 1u); s1 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s1); t1 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t1); }
    { let x = subgroupBroadcast(x0, 2u); s2 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s2); t2 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t2); }
    { let x = subgroupBroadcast(x0, 3u); s3 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s3); t3 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t3); }
    { let x = subgroupBroadcast(x0, 4u); s4 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s4); t4 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t4); }
    { let x = subgroupBroadcast(x0, 5u); s5 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s5); t5 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t5); }
    { let x = subgroupBroadcast(x0, 6u); s6 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s6); t6 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t6); }
    { let x = subgroupBroadcast(x0, 7u); s7 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s7); t7 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t7); }
    { let x = subgroupBroadcast(x1, 0u); s8 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s8); t8 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t8); }
    { let x = subgroupBroadcast(x1, 1u); s9 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s9); t9 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t9); }
    { let x = subgroupBroadcast(x1, 2u); s10 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s10); t10 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t10); }
    { let x = subgroupBroadcast(x1, 3u); s11 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s11); t11 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t11); }
    { let x = subgroupBroadcast(x1, 4u); s12 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s12); t12 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t12); }
    { let x = subgroupBroadcast(x1, 5u); s13 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s13); t13 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t13); }
    { let x = subgroupBroadcast(x1, 6u); s14 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s14); t14 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t14); }
    { let x = subgroupBroadcast(x1, 7u); s15 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s15); t15 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t15); }
    { let x = subgroupBroadcast(x2, 0u); s16 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s16); t16 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t16); }
    { let x = subgroupBroadcast(x2, 1u); s17 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s17); t17 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t17); }
    { let x = subgroupBroadcast(x2, 2u); s18 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s18); t18 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t18); }
    { let x = subgroupBroadcast(x2, 3u); s19 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s19); t19 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t19); }
    { let x = subgroupBroadcast(x2, 4u); s20 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s20); t20 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t20); }
    { let x = subgroupBroadcast(x2, 5u); s21 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s21); t21 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t21); }
    { let x = subgroupBroadcast(x2, 6u); s22 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s22); t22 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t22); }
    { let x = subgroupBroadcast(x2, 7u); s23 = mac(x, w0.lo, w1.lo, w2.lo, w3.lo, s23); t23 = mac(x, w0.hi, w1.hi, w2.hi, w3.hi, t23); }
  }
  if (group >= groups) {
    return;
  }
  // A loop that cannot unroll: 24 copies of the stores compile slowly.
  var sums = array<vec4f, 48>(
    s0, t0, s1, t1, s2, t2, s3, t3, s4, t4, s5, t5,
    s6, t6, s7, t7, s8, t8, s9, t9, s10, t10, s11, t11,
    s12, t12, s13, t13, s14, t14, s15, t15, s16, t16, s17, t17,
    s18, t18, s19, t19, s20, t20, s21, t21, s22, t22, s23, t23,
  );
  for (var i = 0u; i < rows; i++) {
    let at = lists[list + i] * (params.c_stride / 4u) + 2u * group;
    c[at] = sums[2u * i];
    c[at + 1u] = sums[2u * i + 1u];
  }
}
