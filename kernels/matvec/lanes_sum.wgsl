// Sixteen columns a lane of x * W: `x` is read at an address that all lanes share, which is nearly free on a software
// adapter, and weights by gathers, which is all the time this takes. One row of two strips a round: eight or more loads
// halve the speed.
// `x0`: start of the row that `input` reads. `shared_columns`: the first lane's, the same for all.
fn lanes_sum(x0: u32, columns: array<Column, 2>, shared_columns: array<Column, 2>, k_count: u32) -> array<Eight, 2> {
  var lo0 = vec4f();
  var hi0 = vec4f();
  var lo1 = vec4f();
  var hi1 = vec4f();
  var touched = 0u;
  for (var k = 0u; k < k_count; k++) {
    if (TOUCH) {
      touched |= touch_row(shared_columns[0], k) | touch_row(shared_columns[1], k);
    }
    let x = vec4f(input(x0, k));
    let r = weight_row(columns[0], k);
    let s = weight_row(columns[1], k);
    lo0 = fma(x, r.lo, lo0);
    hi0 = fma(x, r.hi, hi0);
    lo1 = fma(x, s.lo, lo1);
    hi1 = fma(x, s.hi, hi1);
  }
  return array<Eight, 2>(Eight(kept(lo0, touched, k_count), hi0), Eight(lo1, hi1));
}
