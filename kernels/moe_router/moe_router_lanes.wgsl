// Eight lanes, one vector of a software adapter; a lane has eight experts at a time.
alias Value = f32;
const VALUES = 1u;
const THREADS = 8u;

var<workgroup> lane_sums: array<f32, 8>;

fn row_total(own: f32, thread: u32) -> f32 {
  lane_sums[thread] = own;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < 8u; i++) {
    sum += lane_sums[i];
  }
  return sum;
}

fn fill_logits(a_at: u32, thread: u32) {
  let groups = (params.experts + 7u) / 8u;
  for (var g0 = 0u; g0 < groups; g0 += 8u) {
    let g = min(g0 + thread, groups - 1u); // surplus lanes repeat the last
    let column = column_at(0u, g, groups, matrix_lines(params.k));
    var lo = vec4f();
    var hi = vec4f();
    for (var k = 0u; k < params.k; k++) {
      let v = vec4f(a[a_at + k]);
      let w = weight_row(column, k);
      lo = fma(v, w.lo, lo);
      hi = fma(v, w.hi, hi);
    }
    for (var i = 0u; i < 4u; i++) {
      row_logits[8u * g + i] = lo[i];
      row_logits[8u * g + 4u + i] = hi[i];
    }
  }
}
