struct Params {
  k: u32,
  experts: u32,
  top_k: u32,
  x_stride: u32,
  normed_stride: u32,
  logits_stride: u32,
  eps: f32,
}
