// A tile of TILE_ROWS slots of one expert x TILE_COLS columns a workgroup; how it is computed is in
// common/register_tile.wgsl or common/matrix_tile.wgsl.
struct Params {
  k: u32,
  cols: u32,
  a_stride: u32,
  c_stride: u32,
  expert0: u32,
  expert_count: u32,
  list_stride: u32,
  a_div: u32,
  a_row0: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> tiles: array<vec2u>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

struct Place {
  list: u32, // where the tile's slots begin in `lists`
  rows: u32,
  quad0: u32,
}

// First word in `a` of the row that feeds a slot of the tile.
fn row_start(place: Place, row: u32) -> u32 {
  if (row >= place.rows) {
    return NO_ROW;
  }
  return (params.a_row0 + lists[place.list + row] / params.a_div) * (params.a_stride / 4u);
}

fn finish(place: Place, row: u32, quad: u32, sum: vec4f) {
  if (row < place.rows && place.quad0 + quad < (params.cols + 7u) / 8u * 2u) {
    c[lists[place.list + row] * (params.c_stride / 4u) + place.quad0 + quad] = sum;
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let tile = tiles[workgroup.y];
  let expert = tile.x - params.expert0;
  if (expert >= params.expert_count) {
    return;
  }
  let rows = min(TILE_ROWS, counts[tile.x] - tile.y);
  let place = Place(tile.x * params.list_stride + tile.y, rows, workgroup.x * (TILE_COLS / 4u));
  var sums: Sums;
  multiply(thread, place, expert * params.k * ((params.cols + 7u) / 8u), workgroup.x * EIGHTS, &sums);
  finish_tile(thread, place, &sums);
}
