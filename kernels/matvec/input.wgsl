// The row that a product reads, as it is.
fn input(x0: u32, k: u32) -> f32 {
  return a[x0 + k];
}
