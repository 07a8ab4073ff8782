// Unsigned numbers in the order of the floats they stand for: 0 stands for nothing, every NaN for the largest. -0 is 0.
// NaN is told by its bits: a compiler may take x == x for granted.
const NO_KEY = 0u;
const NEGATIVE_INFINITY_KEY = 0x007fffffu;
const INFINITY_KEY = 0xff800000u;
const NAN_KEY = 0xffffffffu;

fn ordered4(bits: vec4u) -> vec4u {
  let sign = vec4u(0x80000000u);
  let b = select(bits, vec4u(), bits == sign);
  let keys = select(b | sign, ~b, (b & sign) != vec4u());
  return select(keys, vec4u(NAN_KEY), (b & ~sign) > vec4u(0x7f800000u));
}

fn float_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key ^ 0x80000000u, key >= 0x80000000u));
}
