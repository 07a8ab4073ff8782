// As lanes_sum.wgsl. Rows are added up as they are stored; the scale of 32 rows is applied to their sum.
const LANES = 8u;

fn lane_eights(workgroup: u32, lane: u32) -> vec2u {
  let first = workgroup * 2u * LANES + lane;
  return vec2u(first, first + LANES);
}

fn lanes_sum(x0: u32, w0: vec2u, groups: u32, k_count: u32) -> array<Eight, 2> {
  var sum = array<Eight, 2>();
  let pairs = k_count / 2u;
  for (var k0 = 0u; k0 < pairs; k0 += scale_pairs(pairs)) {
    var lo0 = vec4f();
    var hi0 = vec4f();
    var lo1 = vec4f();
    var hi1 = vec4f();
    for (var k = k0; k < k0 + scale_pairs(pairs); k++) {
      let x = vec4f(a[x0 + 2u * k]);
      let y = vec4f(a[x0 + 2u * k + 1u]);
      let r = raw_pair(w0.x, k, groups);
      let s = raw_pair(w0.y, k, groups);
      lo0 = fma(y, r.odd.lo, fma(x, r.even.lo, lo0));
      hi0 = fma(y, r.odd.hi, fma(x, r.even.hi, hi0));
      lo1 = fma(y, s.odd.lo, fma(x, s.even.lo, lo1));
      hi1 = fma(y, s.odd.hi, fma(x, s.even.hi, hi1));
    }
    let scale0 = scale_of(w0.x, k0, groups);
    let scale1 = scale_of(w0.y, k0, groups);
    sum[0] = Eight(fma(scale0.lo, lo0, sum[0].lo), fma(scale0.hi, hi0, sum[0].hi));
    sum[1] = Eight(fma(scale1.lo, lo1, sum[1].lo), fma(scale1.hi, hi1, sum[1].hi));
  }
  return sum;
}
