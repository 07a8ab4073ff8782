// All rows of k, two a turn, times the column's weights.
fn add_all(starts: Starts, column: Column, pairs: u32, blocks: u32, sums: ptr<function, Blocks>) {
  for (var k = 0u; k < pairs; k++) {
    let own = own_values(starts, k, blocks);
    let w0 = weight_row(column, 2u * k);
    let w1 = weight_row(column, 2u * k + 1u);
    add_products(own, w0, w1, blocks, sums);
  }
}
