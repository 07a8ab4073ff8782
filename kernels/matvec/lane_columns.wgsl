// A workgroup is eight lanes, one vector of a software adapter, of sixteen columns each.
const LANES = 8u;

// The two column-eights of a lane.
fn lane_eights(workgroup: u32, lane: u32) -> vec2u {
  let first = workgroup * 2u * LANES + lane;
  return vec2u(first, first + LANES);
}

// Where they lie in a matrix that begins at `base`; surplus lanes repeat the last eight.
fn lane_columns(base: u32, eights: vec2u, groups: u32, lines: u32) -> array<Column, 2> {
  let own = min(eights, vec2u(groups - 1u));
  return array<Column, 2>(column_at(base, own.x, groups, lines), column_at(base, own.y, groups, lines));
}
