fn pair(x: f32, y: f32) -> u32 {
  if (WEIGHT_FORMAT == 1u) {
    return f16_bits(x) | (f16_bits(y) << 16u);
  }
  return bf16_bits(x) | (bf16_bits(y) << 16u);
}

// Eight values into the group-th eight of the output.
fn store8(group: u32, lo: vec4f, hi: vec4f) {
  if (WEIGHT_FORMAT == 0u) {
    output[2u * group] = bitcast<vec4u>(lo);
    output[2u * group + 1u] = bitcast<vec4u>(hi);
  } else {
    output[group] = vec4u(pair(lo.x, lo.y), pair(lo.z, lo.w), pair(hi.x, hi.y), pair(hi.z, hi.w));
  }
}
