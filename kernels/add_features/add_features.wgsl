// A thread adds four columns of one cell's feature; indices are unique, so no two threads meet.
struct Params {
  cells: u32,
  cols: u32,
  f_stride: u32,
  x_stride: u32,
  rows: u32,
}

@group(0) @binding(0) var<storage, read> features: array<vec4f>;
@group(0) @binding(1) var<storage, read> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  let row = bitcast<u32>(index[id.y]); // negative positions become numbers beyond every row
  if (quad >= params.cols / 4u || row >= params.rows) {
    return;
  }
  x[row * (params.x_stride / 4u) + quad] += features[id.y * (params.f_stride / 4u) + quad];
}
