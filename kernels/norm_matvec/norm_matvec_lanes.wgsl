// A workgroup computes 16 columns a lane of one row. The norm's scale is known behind the product, and multiplies it.
struct Params {
  rows: u32,
  k: u32,
  cols: u32,
  a_stride: u32,
  c_stride: u32,
  col0: u32,
  a_row0: u32,
  c_row0: u32,
  epilogue: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(4) var<storage, read> norm: array<f32>;
var<immediate> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = (params.cols + 7u) / 8u;
  let group = lane_eights(workgroup.x, local.x);
  let columns = lane_columns(0u, group, groups, matrix_lines(params.k)); // surplus lanes store nothing
  let shared_columns = lane_columns(0u, lane_eights(workgroup.x, 0u), groups, matrix_lines(params.k));
  let x0 = (params.a_row0 + workgroup.y) * params.a_stride;
  let sum = lanes_sum(x0, columns, shared_columns, params.k);
  let scale = inverseSqrt(squares / f32(params.k) + params.eps);
  for (var i = 0u; i < 2u; i++) {
    if (group[i] < groups) {
      finish4(params.c_row0 + workgroup.y, 2u * group[i], scale * sum[i].lo);
      finish4(params.c_row0 + workgroup.y, 2u * group[i] + 1u, scale * sum[i].hi);
    }
  }
}
