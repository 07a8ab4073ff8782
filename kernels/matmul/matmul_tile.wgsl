// A tile of the product a workgroup; how it is computed is in common/register_tile.wgsl or common/matrix_tile.wgsl.
struct Params {
  rows: u32,
  k: u32,
  cols: u32,
  a_stride: u32,
  c_stride: u32,
  col0: u32,
  a_row0: u32,
  c_row0: u32,
  epilogue: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

struct Place {
  row0: u32,
  quad0: u32,
}

// First word in `a` of a row of the tile.
fn row_start(place: Place, row: u32) -> u32 {
  return select(NO_ROW, (params.a_row0 + place.row0 + row) * (params.a_stride / 4u), place.row0 + row < params.rows);
}

fn finish(place: Place, row: u32, quad: u32, sum: vec4f) {
  if (place.row0 + row < params.rows && place.quad0 + quad < (params.cols + 7u) / 8u * 2u) {
    finish4(params.c_row0 + place.row0 + row, place.quad0 + quad, sum);
  }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let place = Place(workgroup.y * TILE_ROWS, workgroup.x * (TILE_COLS / 4u));
  var sums: Sums;
  multiply(thread, place, 0u, workgroup.x * EIGHTS, &sums);
  finish_tile(thread, place, &sums);
}
