// A workgroup normalises a row; the same text serves both variants, which differ in how a row is reduced.
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
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let quads = params.cols / 4u;
  let x_at = (params.x_row0 + workgroup.x) * (params.x_stride / 4u);
  let y_at = (params.y_row0 + workgroup.x) * (params.y_stride / 4u);
  var squares = vec4f();
  for (var q = thread; q < quads; q += THREADS) {
    let v = x[x_at + q];
    squares = fma(v, v, squares);
  }
  let square = dot(row_sum4(squares, thread), vec4f(1.0)) / f32(params.cols);
  let scale = inverseSqrt(square + params.eps);
  for (var q = thread; q < quads; q += THREADS) {
    y[y_at + q] = x[x_at + q] * scale * weight[q];
  }
}
