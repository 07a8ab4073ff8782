// A thread four columns of a row: x += the row's expert outputs times their weights, in the order they were chosen.
struct Params {
  rows: u32,
  k: u32,
  cols: u32,
  y_stride: u32,
  x_stride: u32,
  x_row0: u32,
  slot0: u32,
}

@group(0) @binding(0) var<storage, read> y: array<vec4f>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  let row = id.y;
  if (quad >= (params.cols + 3u) / 4u) {
    return;
  }
  var sum = vec4f();
  for (var j = 0u; j < params.k; j++) {
    let slot = row * params.k + j;
    let weight = weights[params.slot0 + slot];
    if (MIXED && weight < 0.0) {
      break;
    }
    sum = fma(vec4f(weight), y[slot * (params.y_stride / 4u) + quad], sum);
  }
  x[(params.x_row0 + row) * (params.x_stride / 4u) + quad] += sum;
}
