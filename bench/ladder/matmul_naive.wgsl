// One output a thread: every product reads a value of `a` and half a word of weights.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> weights: array<u32>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
var<immediate> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.cols || id.y >= params.rows) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < params.k; k++) {
    let w = unpack2x16float(weights[(k * params.cols + id.x) / 2u])[id.x % 2u];
    sum = fma(a[id.y * params.a_stride + k], w, sum);
  }
  c[id.y * params.c_stride + id.x] = sum;
}
