// All rows of k, two a turn: values of rows r0 and r1 of `a` times the eight at `first` of a matrix with `groups` eights.
// ROWS: two a lane of the team, or one without the rows at r1.
fn add_all(r0: u32, r1: u32, first: u32, groups: u32, pairs: u32, lo0: ptr<function, Sums>, hi0: ptr<function, Sums>, lo1: ptr<function, Sums>, hi1: ptr<function, Sums>) {
  for (var k = 0u; k < pairs; k++) {
    let own0 = a[r0 + k];
    var own1 = vec2f();
    if (ROWS > TEAM) {
      own1 = a[r1 + k];
    }
    let w0 = weight8(first + 2u * k * groups);
    let w1 = weight8(first + (2u * k + 1u) * groups);
    add_products(own0, w0, w1, lo0, hi0);
    if (ROWS > TEAM) {
      add_products(own1, w0, w1, lo1, hi1);
    }
  }
}
