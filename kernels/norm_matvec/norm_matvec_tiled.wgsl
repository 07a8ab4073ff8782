// A workgroup computes EIGHTS x 8 columns of one row, and the norm's scale for itself: the row is short beside its weights.
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

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(4) var<storage, read> norm: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = (params.cols + 7u) / 8u;
  let group = workgroup.x * EIGHTS + thread % EIGHTS;
  // Surplus threads repeat the last group and store nothing.
  let column = column_at(0u, min(group, groups - 1u), groups, matrix_lines(params.k));
  let x0 = (params.a_row0 + workgroup.y) * (params.a_stride / 4u);
  let scale = norm_scale(x0, params.k / 4u, thread, params.eps);
  let sum = add_slices(thread, slice_sum(x0, column, params.k / 4u, thread / EIGHTS));
  if (thread < EIGHTS && group < groups) {
    finish4(params.c_row0 + workgroup.y, 2u * group, scale * sum.lo);
    finish4(params.c_row0 + workgroup.y, 2u * group + 1u, scale * sum.hi);
  }
}
