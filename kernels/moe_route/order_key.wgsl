// The logits' order as integers. Every bit pattern has its place, NaN too, so that k different experts are always
// found; a NaN still shows, in the weights of its row. -0 equals 0.
fn order_key(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if (bits == 0x80000000u) {
    return 0x80000000u;
  }
  return select(bits ^ 0x80000000u, ~bits, (bits >> 31u) == 1u);
}
