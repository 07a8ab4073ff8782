// A workgroup normalises a row. Mean first, then deviations from it: the one-pass form loses digits where a few
// columns are far larger than the rest, as they are in a vision transformer.
struct Params {
  rows: u32,
  cols: u32,
  x_stride: u32,
  y_stride: u32,
  x_row0: u32,
  y_row0: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let quads = params.cols / 4u;
  let count = f32(params.cols);
  let x_at = (params.x_row0 + workgroup.x) * (params.x_stride / 4u);
  let y_at = (params.y_row0 + workgroup.x) * (params.y_stride / 4u);
  var sums = vec4f();
  for (var q = thread; q < quads; q += THREADS) {
    sums += x[x_at + q];
  }
  let mean = dot(row_sum4(sums, thread), vec4f(1.0)) / count;
  var squares = vec4f();
  for (var q = thread; q < quads; q += THREADS) {
    let v = x[x_at + q] - mean;
    squares = fma(v, v, squares);
  }
  let variance = dot(row_sum4(squares, thread), vec4f(1.0)) / count;
  let scale = inverseSqrt(variance + params.eps);
  for (var q = thread; q < quads; q += THREADS) {
    y[y_at + q] = fma((x[x_at + q] - mean) * scale, weight[q], bias[q]);
  }
}
