// A thread writes four columns of one row: the class row 0 of a crop, or one of its patches.
struct Params {
  crops: u32,
  patches_per_crop: u32,
  emb: u32,
  stride: u32,
  pos_stride: u32,
}

@group(0) @binding(0) var<storage, read> patches: array<vec4f>;
@group(0) @binding(1) var<storage, read> class_embedding: array<vec4f>;
@group(0) @binding(2) var<storage, read> positions: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  let row = id.y;
  let crop = id.z;
  if (quad >= params.emb / 4u) {
    return;
  }
  let stride = params.stride / 4u;
  var v: vec4f;
  if (row == 0u) {
    v = class_embedding[quad];
  } else {
    v = patches[(crop * params.patches_per_crop + row - 1u) * stride + quad];
  }
  x[(crop * (params.patches_per_crop + 1u) + row) * stride + quad] = v + positions[row * (params.pos_stride / 4u) + quad];
}
