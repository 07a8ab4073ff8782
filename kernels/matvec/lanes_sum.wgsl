// Sixteen columns a lane of x * W. A workgroup is eight lanes, one vector of a software adapter: `x` is read at an
// address that all lanes share, which is nearly free there, and weights by gathers, which is all the time this takes.
// One weight row of 256 bytes a round: rows lie pages apart, narrower strips wait for memory, and eight or more loads a
// round halve the speed.
const LANES = 8u;

// The two column-eights of a lane.
fn lane_eights(workgroup: u32, lane: u32) -> vec2u {
  let first = workgroup * 2u * LANES + lane;
  return vec2u(first, first + LANES);
}

// `x0`: start of the row that `input` reads; `w0`: first weights of this lane's eights; `groups`: eights a weight row.
fn lanes_sum(x0: u32, w0: vec2u, groups: u32, k_count: u32) -> array<Eight, 2> {
  var lo0 = vec4f();
  var hi0 = vec4f();
  var lo1 = vec4f();
  var hi1 = vec4f();
  for (var k = 0u; k < k_count; k++) {
    let x = vec4f(input(x0, k));
    let r = weight8(w0.x + k * groups);
    let s = weight8(w0.y + k * groups);
    lo0 = fma(x, r.lo, lo0);
    hi0 = fma(x, r.hi, hi0);
    lo1 = fma(x, s.lo, lo1);
    hi1 = fma(x, s.hi, hi1);
  }
  return array<Eight, 2>(Eight(lo0, hi0), Eight(lo1, hi1));
}
