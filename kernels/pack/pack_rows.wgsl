// Rows stay rows (embedding tables), each padded to eights.
struct Params {
  rows: u32,
  k: u32,
  source_byte0: u32,
  formula_row0: u32,
  output_base: u32,
  output_group0: u32,
  output_groups: u32,
  hash: u32,
  amplitude: f32,
  stored: u32,
  flag: u32,
}

@group(0) @binding(0) var<storage, read> source: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> flags: array<atomic<u32>>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let k = 8u * id.x;
  if (k >= params.k || id.y >= params.rows) {
    return;
  }
  let lo = source4(id.y, k);
  var hi = vec4f();
  if (k + 4u < params.k) {
    hi = source4(id.y, k + 4u);
  }
  inspect(max(magnitude(lo), magnitude(hi)));
  store8(params.output_base + params.output_group0 + id.y * params.output_groups + id.x, lo, hi);
}
