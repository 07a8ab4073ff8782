// A thread averages four columns of a cell's four places.
struct Params {
  cells: u32,
  cols: u32,
  w_stride: u32,
  m_stride: u32,
}

@group(0) @binding(0) var<storage, read> windows: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> mean: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  if (quad >= params.cols / 4u) {
    return;
  }
  let stride = params.w_stride / 4u;
  let at = 4u * id.y * stride + quad;
  let sum = (windows[at] + windows[at + stride]) + (windows[at + 2u * stride] + windows[at + 3u * stride]);
  mean[id.y * (params.m_stride / 4u) + quad] = 0.25 * sum;
}
