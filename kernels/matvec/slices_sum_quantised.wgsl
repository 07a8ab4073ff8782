// As slices_sum.wgsl, 16 rows at a time: long enough that reading the scale hardly counts, short enough that all slices
// of a short k have work.
fn slice_sum(x0: u32, column: Column, quads: u32, slice: u32) -> Eight {
  var lo = vec4f();
  var hi = vec4f();
  for (var q0 = 4u * slice; q0 < quads; q0 += 4u * SLICES) {
    let scale = scale_of(column, 2u * q0);
    var part = Eight();
    for (var q = q0; q < q0 + 4u; q++) {
      let x = input4(x0, q);
      let at = pair_at(column, 2u * q);
      let r = raw_pair(at);
      let s = raw_pair(at + column.step);
      part.lo = fma(vec4f(x.w), s.odd.lo, fma(vec4f(x.z), s.even.lo, part.lo));
      part.hi = fma(vec4f(x.w), s.odd.hi, fma(vec4f(x.z), s.even.hi, part.hi));
      part.lo = fma(vec4f(x.y), r.odd.lo, fma(vec4f(x.x), r.even.lo, part.lo));
      part.hi = fma(vec4f(x.y), r.odd.hi, fma(vec4f(x.x), r.even.hi, part.hi));
    }
    lo = fma(part.lo, scale.lo, lo);
    hi = fma(part.hi, scale.hi, hi);
  }
  return Eight(lo, hi);
}
