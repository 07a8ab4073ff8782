// A thread a tile: walks the experts until its tile's number falls into one.
struct Params {
  experts: u32,
  tile_rows: u32,
  max_tiles: u32,
}

@group(0) @binding(0) var<storage, read> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> tiles: array<vec2u>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.max_tiles) {
    return;
  }
  var tile = vec2u(0xffffffffu, 0u);
  var first = 0u;
  for (var e = 0u; e < params.experts; e++) {
    let next = first + (counts[e] + params.tile_rows - 1u) / params.tile_rows;
    if (id.x >= first && id.x < next) {
      tile = vec2u(e, (id.x - first) * params.tile_rows);
    }
    first = next;
  }
  tiles[id.x] = tile;
}
