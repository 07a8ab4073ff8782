// A workgroup computes 16 hidden columns a lane of one slot. Gate and up are two turns of one loop: written one behind the
// other, the same work takes a software adapter four thirds of the time.
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

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> experts: array<u32>;
@group(0) @binding(3) var<storage, read_write> h: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let slot = workgroup.x;
  let expert = experts[slot] - params.expert0;
  let mine = expert < params.expert_count;
  let parts = select(0u, 2u, mine); // gate, up; a number known here would unroll
  let eights = (params.hidden + 7u) / 8u;
  let eight = lane_eights(workgroup.y, local.x);
  let x0 = (params.a_row0 + slot / params.top_k) * params.a_stride;
  let lines = matrix_lines(params.k);
  let own = min(eight, vec2u(eights - 1u)); // surplus lanes repeat the last eight
  let first = min(lane_eights(workgroup.y, 0u), vec2u(eights - 1u));
  var gate: array<Eight, 2>;
  var up: array<Eight, 2>;
  for (var part = 0u; part < parts; part++) {
    gate = up;
    let columns = lane_columns(expert * lines * 2u * eights, own + part * eights, 2u * eights, lines);
    let shared_columns = lane_columns(expert * lines * 2u * eights, first + part * eights, 2u * eights, lines);
    up = lanes_sum(x0, columns, shared_columns, params.k);
  }
  for (var i = 0u; i < 2u; i++) {
    if (mine && eight[i] < eights) {
      let at = slot * (params.h_stride / 4u) + 2u * eight[i];
      h[at] = gate[i].lo / (1.0 + exp(-gate[i].lo)) * up[i].lo;
      h[at + 1u] = gate[i].hi / (1.0 + exp(-gate[i].hi)) * up[i].hi;
    }
  }
}
