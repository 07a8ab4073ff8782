// Where a weight comes from. SOURCE: 0 = f32, 1 = f16, 2 = bf16 words of a checkpoint, 3 = the synthetic formula.
// Values travel as f32; 16-bit words are widened by integer arithmetic so that no driver can flush small ones.
fn pcg(v: u32) -> u32 {
  let s = v * 747796405u + 2891336453u;
  let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
  return (w >> 22u) ^ w;
}

// amplitude * r: one multiplication, nothing to fuse it with, so the bits are the formula's.
fn formula(i: u32) -> f32 {
  let u = pcg(pcg(i ^ params.hash) + params.hash);
  return params.amplitude * (f32(u >> 8u) * 0x1p-23 - 1.0);
}

fn f16_value(h: u32) -> f32 {
  let sign = (h & 0x8000u) << 16u;
  let magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    return bitcast<f32>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u));
  }
  if (magnitude < 0x400u) { // subnormal: magnitude * 2^-24, exact in f32
    return bitcast<f32>(bitcast<u32>(f32(magnitude) * 0x1p-24) | sign);
  }
  return bitcast<f32>(sign | ((magnitude << 13u) + 0x38000000u));
}

// Nearest, ties to even; beyond the largest half it becomes infinity. Below 2^-14 a half counts steps of 2^-24, which is
// what the last bit of a float near 0.5 is worth: the addition rounds.
fn f16_bits(x: f32) -> u32 {
  let u = bitcast<u32>(x);
  let a = u & 0x7fffffffu;
  let normal = min((a + 0xfffu + ((a >> 13u) & 1u) - 0x38000000u) >> 13u, 0x7c00u);
  let small = bitcast<u32>(bitcast<f32>(a) + 0.5) - 0x3f000000u;
  return ((u >> 16u) & 0x8000u) | select(small, normal, a >= 0x38800000u);
}

fn bf16_bits(x: f32) -> u32 {
  let u = bitcast<u32>(x);
  return (u + 0x7fffu + ((u >> 16u) & 1u)) >> 16u;
}

fn bf16_value(h: u32) -> f32 {
  return bitcast<f32>(h << 16u);
}

// STORED rounds a synthetic value as a checkpoint of that type would hold it.
fn rounded(x: f32) -> f32 {
  if (params.stored == 1u) {
    return f16_value(f16_bits(x));
  }
  if (params.stored == 2u) {
    return bf16_value(bf16_bits(x));
  }
  return x;
}

// Values k .. k+3 of a row; k and the row length are multiples of 4.
fn source4(row: u32, k: u32) -> vec4f {
  let i = row * params.k + k;
  if (SOURCE == 3u) {
    let f = (params.formula_row0 + row) * params.k + k;
    return vec4f(rounded(formula(f)), rounded(formula(f + 1u)), rounded(formula(f + 2u)), rounded(formula(f + 3u)));
  }
  if (SOURCE == 0u) {
    let at = (params.source_byte0 + 4u * i) / 8u;
    return bitcast<vec4f>(vec4u(source[at], source[at + 1u]));
  }
  let q = source[(params.source_byte0 + 2u * i) / 8u];
  let h = vec4u(q.x & 0xffffu, q.x >> 16u, q.y & 0xffffu, q.y >> 16u);
  if (SOURCE == 1u) {
    return vec4f(f16_value(h.x), f16_value(h.y), f16_value(h.z), f16_value(h.w));
  }
  return vec4f(bf16_value(h.x), bf16_value(h.y), bf16_value(h.z), bf16_value(h.w));
}

fn magnitude(x: vec4f) -> vec4u {
  return bitcast<vec4u>(x) & vec4u(0x7fffffffu);
}

// Values themselves, or the scales of quantised ones.
const KEPT_IN_F16 = WEIGHT_FORMAT == 1u || WEIGHT_FORMAT >= 3u;

// Notes under this tensor's number that a value is no number, or too large for the storage format.
fn inspect(largest: vec4u) {
  if (any(largest >= vec4u(0x7f800000u))) {
    atomicOr(&flags[params.flag], 1u);
  } else if (KEPT_IN_F16 && any(largest >= vec4u(0x477ff000u))) {
    atomicOr(&flags[params.flag], 2u);
  }
}
