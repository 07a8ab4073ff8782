// A thread decodes eight columns of a token's row.
struct Params {
  rows: u32,
  d: u32,
  x_stride: u32,
  id_row0: u32,
  first_id: u32,
  id_count: u32,
  x_row0: u32,
}

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let groups = (params.d + 7u) / 8u;
  let row = ids[params.id_row0 + id.y] - params.first_id; // ids below the slice wrap to numbers beyond it
  if (id.x >= groups || row >= params.id_count) {
    return;
  }
  let w = weight8(row * groups + id.x);
  let at = (params.x_row0 + id.y) * (params.x_stride / 4u) + 2u * id.x;
  x[at] = w.lo;
  x[at + 1u] = w.hi;
}
