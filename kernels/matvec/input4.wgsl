// The row that a product reads, as it is, in fours.
fn input4(x0: u32, q: u32) -> vec4f {
  return a[x0 + q];
}
