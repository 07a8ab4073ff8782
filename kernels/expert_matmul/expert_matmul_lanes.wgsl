// One subgroup computes ROWS slots of one expert x (8 columns a lane), as matmul_lanes does rows; the slots' rows of `a`
// lie apart, which a gather does not mind.
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

@group(0) @binding(0) var<storage, read> a: array<vec2f>;
@group(0) @binding(2) var<storage, read> tiles: array<vec2u>;
@group(0) @binding(3) var<storage, read> counts: array<u32>;
@group(0) @binding(4) var<storage, read> lists: array<u32>;
@group(0) @binding(5) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

// First word in `a` of the row that feeds a slot.
fn row_of(slot: u32) -> u32 {
  return (params.a_row0 + slot / params.a_div) * (params.a_stride / 2u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let tile = tiles[workgroup.x];
  // Tiles of other slices run no rounds and store nothing: an early return triples the compile time.
  let mine = tile.x - params.expert0 < params.expert_count;
  let expert = select(params.expert0, tile.x, mine);
  let list = expert * params.list_stride + select(0u, tile.y, mine);
  let rows = select(0u, min(ROWS, counts[expert] - tile.y), mine);
  let last = max(rows, 1u) - 1u;
  let groups = (params.cols + 7u) / 8u;
  let group = workgroup.y * LANES + local.x;
  let g = min(group, groups - 1u); // surplus lanes repeat the last group and store nothing
  let lines = matrix_lines(params.k);
  let column = column_at((expert - params.expert0) * lines * groups, g, groups, lines);
  var starts: Starts;
  for (var b = 0u; b < BLOCKS; b++) {
    starts[b] = row_of(lists[list + min(b * TEAM + local.x % TEAM, last)]);
  }
  var sums: Blocks;
  // The last tile of an expert is seldom full: a loop for each number of blocks that hold rows, of which one has rounds.
  let blocks = (rows + TEAM - 1u) / TEAM;
  let pairs = params.k / 2u;
  if (BLOCKS > 1u) { add_all(starts, column, select(0u, pairs, blocks == 1u), 1u, &sums); }
  if (BLOCKS > 2u) { add_all(starts, column, select(0u, pairs, blocks == 2u), 2u, &sums); }
  if (BLOCKS > 3u) { add_all(starts, column, select(0u, pairs, blocks == 3u), 3u, &sums); }
  add_all(starts, column, select(0u, pairs, blocks == BLOCKS), BLOCKS, &sums);
  if (group >= groups) {
    return;
  }
  let all = sums;
  // A loop that cannot unroll: so many copies of the stores compile slowly.
  for (var i = 0u; i < rows; i++) {
    let at = lists[list + i] * (params.c_stride / 4u) + 2u * group;
    c[at] = all[i / TEAM][i % TEAM];
    c[at + 1u] = all[i / TEAM][TEAM + i % TEAM];
  }
}
