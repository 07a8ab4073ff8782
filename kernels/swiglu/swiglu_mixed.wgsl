// A thread writes four columns of a slot, and none of one without an expert.
struct Params {
  rows: u32,
  hidden: u32,
  in_stride: u32,
  out_stride: u32,
  up_col0: u32,
  slot0: u32,
}

@group(0) @binding(0) var<storage, read> gate_up: array<vec4f>;
@group(0) @binding(1) var<storage, read> experts: array<u32>;
@group(0) @binding(2) var<storage, read_write> h: array<vec4f>;
var<immediate> params: Params;

const NO_EXPERT = 0xffffffffu;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  if (quad >= (params.hidden + 3u) / 4u || experts[params.slot0 + id.y] == NO_EXPERT) {
    return;
  }
  let at = id.y * (params.in_stride / 4u) + quad;
  let gate = gate_up[at];
  h[id.y * (params.out_stride / 4u) + quad] = gate / (1.0 + exp(-gate)) * gate_up[at + params.up_col0 / 4u];
}
