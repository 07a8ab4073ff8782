// One subgroup computes ROWS (16 or 8) slots of one expert x (8 columns a lane), as matmul_lanes does rows; the slots' rows of `a`
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
  let w = (expert - params.expert0) * matrix_lines(params.k) * groups + g;
  let lane = local.x % TEAM;
  let r0 = row_of(lists[list + min(lane, last)]);
  let r1 = row_of(lists[list + min(TEAM + lane, last)]);
  let pairs = select(0u, params.k / 2u, mine);
  var lo0: Sums; var hi0: Sums;
  var lo1: Sums; var hi1: Sums;
  add_all(r0, r1, w, groups, pairs, &lo0, &hi0, &lo1, &hi1);
  if (group >= groups) {
    return;
  }
  let all = array<Sums, 4>(lo0, hi0, lo1, hi1);
  // A loop that cannot unroll: 16 copies of the stores compile slowly.
  for (var i = 0u; i < rows; i++) {
    let part = 2u * (i / TEAM);
    let at = lists[list + i] * (params.c_stride / 4u) + 2u * group;
    c[at] = all[part][i % TEAM];
    c[at + 1u] = all[part + 1u][i % TEAM];
  }
}
