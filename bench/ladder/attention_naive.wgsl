// One query of one head a thread, keys one after the other, with the running maximum of flash attention.
struct Params {
  groups: u32,
  rows: u32,
  keys: u32,
  heads: u32,
  q_stride: u32,
  kv_stride: u32,
  o_stride: u32,
  q_col0: u32,
  k_col0: u32,
  v_col0: u32,
  q_row0: u32,
  k_row0: u32,
  first_position: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> o: array<vec4f>;
var<immediate> params: Params;

const QUADS = HEAD_DIM / 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  let head = id.y * QUADS;
  let q0 = (row * params.q_stride + params.q_col0) / 4u + head;
  var keys = params.keys;
  if (CAUSAL) {
    keys = params.first_position + row + 1u;
  }
  var largest = -1e30;
  var total = 0.0;
  var sums: array<vec4f, QUADS>;
  for (var j = 0u; j < keys; j++) {
    let k0 = (j * params.kv_stride + params.k_col0) / 4u + head;
    let v0 = (j * params.kv_stride + params.v_col0) / 4u + head;
    var dots = vec4f();
    for (var i = 0u; i < QUADS; i++) {
      dots = fma(q[q0 + i], k[k0 + i], dots);
    }
    let score = params.scale * (dots.x + dots.y + dots.z + dots.w);
    let next = max(largest, score);
    let fade = exp(largest - next);
    let weight = exp(score - next);
    total = total * fade + weight;
    for (var i = 0u; i < QUADS; i++) {
      sums[i] = sums[i] * fade + weight * v[v0 + i];
    }
    largest = next;
  }
  for (var i = 0u; i < QUADS; i++) {
    o[row * (params.o_stride / 4u) + head + i] = sums[i] / total;
  }
}
