// A workgroup computes 16 columns a lane of one row: all its slots of this weight slice, so that their sum needs no atomics.
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

@group(0) @binding(0) var<storage, read> a: array<f32>; // h
@group(0) @binding(2) var<storage, read> experts: array<u32>;
@group(0) @binding(3) var<storage, read> route_weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> x: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = (params.cols + 7u) / 8u;
  let group = lane_eights(workgroup.x, local.x);
  let lines = matrix_lines(params.hidden);
  var sum = array<Eight, 2>();
  for (var j = 0u; j < params.top_k; j++) {
    let slot = workgroup.y * params.top_k + j;
    let expert = experts[slot] - params.expert0;
    let hidden = select(0u, params.hidden, expert < params.expert_count);
    let columns = lane_columns(expert * lines * groups, group, groups, lines); // surplus lanes store nothing
    let shared_columns = lane_columns(expert * lines * groups, lane_eights(workgroup.x, 0u), groups, lines);
    let y = lanes_sum(slot * params.h_stride, columns, shared_columns, hidden);
    for (var i = 0u; i < 2u; i++) {
      sum[i].lo += route_weights[slot] * y[i].lo;
      sum[i].hi += route_weights[slot] * y[i].hi;
    }
  }
  for (var i = 0u; i < 2u; i++) {
    if (group[i] < groups) {
      let at = (params.x_row0 + workgroup.y) * (params.x_stride / 4u) + 2u * group[i];
      x[at] += sum[i].lo;
      x[at + 1u] += sum[i].hi;
    }
  }
}
