// The row times the norm's weights, in fours.
fn input4(x0: u32, q: u32) -> vec4f {
  return a[x0 + q] * norm[q];
}

// What the norm multiplies a row of 4 * quads values by. All threads of the workgroup share the sum.
fn norm_scale(x0: u32, quads: u32, thread: u32, eps: f32) -> f32 {
  var squares = vec4f();
  for (var q = thread; q < quads; q += 256u) {
    let x = a[x0 + q];
    squares = fma(x, x, squares);
  }
  return inverseSqrt(dot(row_sum4(squares, thread), vec4f(1.0)) / f32(4u * quads) + eps);
}
