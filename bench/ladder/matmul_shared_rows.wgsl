// The lanes of a subgroup own eight columns each of eight rows: `a` is read once for all of them, a lane a row, and handed round.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = params.cols / 8u;
  let group = workgroup.x * LANES + local.x;
  let g = min(group, groups - 1u);
  let row = workgroup.y * 8u;
  let own_row = min(row + local.x % 8u, params.rows - 1u) * params.a_stride;
  let column = column_at(0u, g, groups, params.k);
  var lo: array<vec4f, 8>;
  var hi: array<vec4f, 8>;
  for (var k = 0u; k < params.k; k++) {
    let own = a[own_row + k];
    let w = weight_row(column, k);
    for (var i = 0u; i < 8u; i++) {
      let x = vec4f(subgroupShuffle(own, i));
      lo[i] = fma(x, w.lo, lo[i]);
      hi[i] = fma(x, w.hi, hi[i]);
    }
  }
  if (group >= groups) {
    return;
  }
  for (var i = 0u; i < 8u; i++) {
    if (row + i < params.rows) {
      let at = (row + i) * (params.c_stride / 4u) + 2u * group;
      c[at] = lo[i];
      c[at + 1u] = hi[i];
    }
  }
}
