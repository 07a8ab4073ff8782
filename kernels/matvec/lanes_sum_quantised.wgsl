// As lanes_sum.wgsl. Rows are added up as they are stored, and the scale is applied to the sum of 32. One pair of rows a
// round: four rows are slower, since their code no longer fits.
fn add_scaled(sum: Eight, raw: Eight, scale: Eight) -> Eight {
  return Eight(fma(raw.lo, scale.lo, sum.lo), fma(raw.hi, scale.hi, sum.hi));
}

fn lanes_sum(x0: u32, columns: array<Column, 2>, shared_columns: array<Column, 2>, k_count: u32) -> array<Eight, 2> {
  var sum0 = Eight();
  var sum1 = Eight();
  var touched = 0u;
  let pairs = k_count / 2u;
  for (var k0 = 0u; k0 < pairs; k0 += scale_pairs(pairs)) {
    var at = vec2u(pair_at(columns[0], k0), pair_at(columns[1], k0));
    var part0 = Eight();
    var part1 = Eight();
    for (var k = k0; k < k0 + scale_pairs(pairs); k++) {
      if (TOUCH) {
        touched |= touch_pair(shared_columns[0], k) | touch_pair(shared_columns[1], k);
      }
      let x = vec4f(input(x0, 2u * k));
      let y = vec4f(input(x0, 2u * k + 1u));
      let r = raw_pair(at.x);
      let s = raw_pair(at.y);
      at += vec2u(columns[0].step, columns[1].step);
      part0.lo = fma(y, r.odd.lo, fma(x, r.even.lo, part0.lo));
      part0.hi = fma(y, r.odd.hi, fma(x, r.even.hi, part0.hi));
      part1.lo = fma(y, s.odd.lo, fma(x, s.even.lo, part1.lo));
      part1.hi = fma(y, s.odd.hi, fma(x, s.even.hi, part1.hi));
    }
    sum0 = add_scaled(sum0, part0, scale_of(columns[0], k0));
    sum1 = add_scaled(sum1, part1, scale_of(columns[1], k0));
  }
  sum0.lo = kept(sum0.lo, touched, k_count);
  return array<Eight, 2>(sum0, sum1);
}
