// 256 threads: EIGHTS column-eights at a time, the rest of the threads split k.
alias Value = vec4f;
const VALUES = 4u;
const THREADS = 256u;

fn row_total(own: vec4f, thread: u32) -> f32 {
  return dot(row_sum4(own, thread), vec4f(1.0));
}

fn fill_logits(a_at: u32, thread: u32) {
  let groups = (params.experts + 7u) / 8u;
  for (var g0 = 0u; g0 < groups; g0 += EIGHTS) {
    let group = g0 + thread % EIGHTS;
    let g = min(group, groups - 1u); // surplus threads repeat the last group and keep nothing
    let column = column_at(0u, g, groups, matrix_lines(params.k));
    let sum = add_slices(thread, slice_sum(a_at, column, params.k / 4u, thread / EIGHTS));
    if (thread < EIGHTS && group < groups) {
      for (var i = 0u; i < 4u; i++) {
        row_logits[8u * g + i] = sum.lo[i];
        row_logits[8u * g + 4u + i] = sum.hi[i];
      }
    }
  }
}
