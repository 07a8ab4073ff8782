// All rows of k, two a turn, times the column's weights.
fn add_all(starts: Starts, column: Column, pairs: u32, sums: ptr<function, Blocks>) {
  for (var k = 0u; k < pairs; k++) {
    var own: array<vec2f, BLOCKS>;
    for (var b = 0u; b < BLOCKS; b++) {
      own[b] = a[starts[b] + k];
    }
    let w0 = weight_row(column, 2u * k);
    let w1 = weight_row(column, 2u * k + 1u);
    for (var b = 0u; b < BLOCKS; b++) {
      add_products(own[b], w0, w1, &(*sums)[b]);
    }
  }
}
