// `x0`: first word of the row that `input4` reads; `quads`: k / 4.
fn slice_sum(x0: u32, column: Column, quads: u32, slice: u32) -> Eight {
  var lo = vec4f();
  var hi = vec4f();
  for (var q = slice; q < quads; q += SLICES) {
    let x = input4(x0, q);
    let at = column.first + 4u * q * column.step;
    let r0 = weight8(at);
    let r1 = weight8(at + column.step);
    let r2 = weight8(at + 2u * column.step);
    let r3 = weight8(at + 3u * column.step);
    lo = fma(vec4f(x.w), r3.lo, fma(vec4f(x.z), r2.lo, fma(vec4f(x.y), r1.lo, fma(vec4f(x.x), r0.lo, lo))));
    hi = fma(vec4f(x.w), r3.hi, fma(vec4f(x.z), r2.hi, fma(vec4f(x.y), r1.hi, fma(vec4f(x.x), r0.hi, hi))));
  }
  return Eight(lo, hi);
}
