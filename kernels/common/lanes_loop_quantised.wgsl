// As lanes_loop.wgsl, with a loop around it that reads scales once for 32 rows. (Around one turn it would slow floats.)
fn add_all(starts: Starts, column: Column, pairs: u32, blocks: u32, sums: ptr<function, Blocks>) {
  for (var k0 = 0u; k0 < pairs; k0 += scale_pairs(pairs)) {
    let scale = scale_of(column, k0);
    for (var k = k0; k < k0 + scale_pairs(pairs); k++) {
      let own = own_values(starts, k, blocks);
      let w = weight_pair(column, k, scale);
      add_products(own, w.even, w.odd, blocks, sums);
    }
  }
}
