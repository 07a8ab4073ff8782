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

// With TOUCH, each cache line of weights is read once at an address that all lanes share before lanes gather from it. Where
// a gather is one instruction it waits for its lines one after the other, and the machine does not see that they follow
// each other; single reads it does. What was read must count for something, or no compiler would keep it: this adds
// nothing, since no k has the highest bit.
fn kept(sum: vec4f, touched: u32, k: u32) -> vec4f {
  if (!TOUCH) {
    return sum;
  }
  return bitcast<vec4f>(bitcast<vec4u>(sum) | vec4u(touched & (k >> 31u)));
}
