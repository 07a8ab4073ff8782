// A workgroup computes EIGHTS x 8 columns of one row: all its slots of this weight slice, so that their sum needs no atomics.
struct Params {
  rows: u32,
  top_k: u32,
  hidden: u32,
  cols: u32,
  h_stride: u32,
  x_stride: u32,
  expert0: u32,
  expert_count: u32,
  x_row0: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>; // h
@group(0) @binding(2) var<storage, read> experts: array<u32>;
@group(0) @binding(3) var<storage, read> route_weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = (params.cols + 7u) / 8u;
  let group = workgroup.x * EIGHTS + thread % EIGHTS;
  let g = min(group, groups - 1u); // surplus threads repeat the last group and store nothing
  let lines = matrix_lines(params.hidden);
  var lo = vec4f();
  var hi = vec4f();
  for (var j = 0u; j < params.top_k; j++) {
    let slot = workgroup.y * params.top_k + j;
    let expert = experts[slot] - params.expert0;
    if (expert < params.expert_count) {
      let column = column_at(expert * lines * groups, g, groups, lines);
      let y = slice_sum(slot * (params.h_stride / 4u), column, params.hidden / 4u, thread / EIGHTS);
      lo += route_weights[slot] * y.lo;
      hi += route_weights[slot] * y.hi;
    }
  }
  let sum = add_slices(thread, Eight(lo, hi));
  if (thread < EIGHTS && group < groups) {
    let at = (params.x_row0 + workgroup.y) * (params.x_stride / 4u) + 2u * group;
    x[at] += sum.lo;
    x[at + 1u] += sum.hi;
  }
}
