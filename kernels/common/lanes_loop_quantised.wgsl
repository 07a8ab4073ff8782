// As lanes_loop.wgsl, with a loop around it that reads scales once for 32 rows. (Around one turn it would slow floats.)
fn add_all(r0: u32, r1: u32, first: u32, groups: u32, pairs: u32, lo0: ptr<function, Sums>, hi0: ptr<function, Sums>, lo1: ptr<function, Sums>, hi1: ptr<function, Sums>) {
  for (var k0 = 0u; k0 < pairs; k0 += scale_pairs(pairs)) {
    let scale = scale_of(first, k0, groups);
    for (var k = k0; k < k0 + scale_pairs(pairs); k++) {
      let own0 = a[r0 + k];
      var own1 = vec2f();
      if (ROWS > TEAM) {
        own1 = a[r1 + k];
      }
      let w = weight_pair(first, k, groups, scale);
      add_products(own0, w.even, w.odd, lo0, hi0);
      if (ROWS > TEAM) {
        add_products(own1, w.even, w.odd, lo1, hi1);
      }
    }
  }
}
