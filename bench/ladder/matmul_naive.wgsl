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
  let column = column_at(0u, id.x / 8u, params.cols / 8u, params.k);
  var sum = 0.0;
  for (var k = 0u; k < params.k; k++) {
    let w = unpack2x16float(weights[4u * (column.first + k * column.step) + id.x % 8u / 2u])[id.x % 2u];
    sum = fma(a[id.y * params.a_stride + k], w, sum);
  }
  c[id.y * params.c_stride + id.x] = sum;
}
