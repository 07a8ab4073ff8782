// A thread writes four columns of one of a crop's window rows (four places a cell).
struct Params {
  crops: u32,
  emb: u32,
  x_stride: u32,
  w_stride: u32,
  col0: u32,
  pad_cols: u32,
  grid_side: u32,
  crop0: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> masks: array<f32>;
@group(0) @binding(2) var<storage, read> keep: array<f32>;
@group(0) @binding(3) var<storage, read> pad_embed: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> windows: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  let place = id.y;
  if (quad >= params.emb / 4u) {
    return;
  }
  let side = params.grid_side;
  let cell = place / 4u;
  let cell_y = cell / (side / 2u);
  let cell_x = cell % (side / 2u);
  let patch_index = (2u * cell_y + (place % 4u) / 2u) * side + 2u * cell_x + place % 2u;
  let crop = params.crop0 + id.z;

  let mask = masks[crop * side * side + patch_index];
  let pad_at = params.col0 / 4u + quad;
  var pad = vec4f();
  if (mask == 0.0) {
    pad = pad_embed[pad_at];
  } else if (mask < 1.0) {
    pad = pad_embed[params.pad_cols / 4u + pad_at];
  }
  let kept = keep[crop];
  let v = x[(id.z * (side * side + 1u) + 1u + patch_index) * (params.x_stride / 4u) + quad];
  // Chosen, not only multiplied: a padding crop's features may be infinite.
  windows[(crop * side * side + place) * (params.w_stride / 4u) + pad_at] = select(vec4f(), v * kept, kept != 0.0) + pad;
}
