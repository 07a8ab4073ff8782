// A workgroup computes EIGHTS x 8 hidden columns of one slot.
struct Params {
  rows: u32,
  top_k: u32,
  k: u32,
  hidden: u32,
  a_stride: u32,
  h_stride: u32,
  expert0: u32,
  expert_count: u32,
  a_row0: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> experts: array<u32>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let slot = workgroup.x;
  let expert = experts[slot] - params.expert0;
  if (expert >= params.expert_count) {
    return;
  }
  let eights = (params.hidden + 7u) / 8u;
  let eight = workgroup.y * EIGHTS + thread % EIGHTS;
  let x0 = (params.a_row0 + slot / params.top_k) * (params.a_stride / 4u);
  let lines = matrix_lines(params.k);
  let base = expert * lines * 2u * eights;
  let own = min(eight, eights - 1u); // surplus threads repeat the last eight
  let slice = thread / EIGHTS;
  let gate = add_slices(thread, slice_sum(x0, column_at(base, own, 2u * eights, lines), params.k / 4u, slice));
  let up = add_slices(thread, slice_sum(x0, column_at(base, own + eights, 2u * eights, lines), params.k / 4u, slice));
  if (thread < EIGHTS && eight < eights) {
    let at = slot * (params.h_stride / 4u) + 2u * eight;
    h[at] = gate.lo / (1.0 + exp(-gate.lo)) * up.lo;
    h[at + 1u] = gate.hi / (1.0 + exp(-gate.hi)) * up.hi;
  }
}
