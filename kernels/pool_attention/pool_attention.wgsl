// A thread serves one head of one cell: a query against four keys fits in registers.
struct Params {
  cells: u32,
  heads: u32,
  head_dim: u32,
  q_stride: u32,
  kv_stride: u32,
  v_col0: u32,
  o_stride: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> kv: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> o: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let cell = id.x / params.heads;
  let quads = params.head_dim / 4u;
  let head = (id.x % params.heads) * quads;
  if (cell >= params.cells) {
    return;
  }
  let stride = params.kv_stride / 4u;
  let q_at = cell * (params.q_stride / 4u) + head;
  let k_at = 4u * cell * stride + head;
  let v_at = k_at + params.v_col0 / 4u;
  let o_at = cell * (params.o_stride / 4u) + head;
  var scores = vec4f();
  for (var i = 0u; i < quads; i++) {
    let x = q[q_at + i];
    let k = k_at + i;
    scores += vec4f(dot(x, kv[k]), dot(x, kv[k + stride]), dot(x, kv[k + 2u * stride]), dot(x, kv[k + 3u * stride]));
  }
  scores *= params.scale;
  let peak = max(max(scores.x, scores.y), max(scores.z, scores.w));
  let powers = exp(scores - peak);
  let p = powers / dot(powers, vec4f(1.0));
  for (var i = 0u; i < quads; i++) {
    let v = v_at + i;
    o[o_at + i] = p.x * kv[v] + p.y * kv[v + stride] + p.z * kv[v + 2u * stride] + p.w * kv[v + 3u * stride];
  }
}
