// A checkpoint matrix [out = rows][in = k] becomes the lines of weights_q8.wgsl or weights_q4.wgsl: a thread turns 8 rows
// x 32 values along k into 8 scales and their integers. It reads its values twice, which costs less than keeping them.
struct Params {
  rows: u32,
  k: u32,
  source_byte0: u32,
  formula_row0: u32,
  output_base: u32,
  output_group0: u32,
  output_groups: u32,
  hash: u32,
  amplitude: f32,
  stored: u32,
  flag: u32,
}

@group(0) @binding(0) var<storage, read> source: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> output: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> flags: array<atomic<u32>>;
var<immediate> params: Params;

const Q8 = WEIGHT_FORMAT == 3u;
const BITS = select(4u, 8u, Q8);
const LEAST = select(-8.0, -127.0, Q8);
const MOST = select(7.0, 127.0, Q8);
const EXTREME = select(-8.0, 127.0, Q8); // the integer of the value that the scale holds
const SCALE_LINES = select(2u, 1u, Q8);

// Four words into one line (q8) or two (q4).
fn store(at: u32, step: u32, q: vec4u) {
  if (Q8) {
    output[2u * at] = q.xy;
    output[2u * at + 1u] = q.zw;
  } else {
    output[at] = q.xy;
    output[at + step] = q.zw;
  }
}

// The value of largest magnitude among 32 of a row, the first of equals, as it is kept.
fn scale_bits(row: u32, k0: u32) -> u32 {
  if (row >= params.rows) {
    return 0u;
  }
  var found = 0.0;
  var largest = vec4u();
  for (var k = k0; k < k0 + 32u; k += 4u) {
    let x = source4(row, k);
    largest = max(largest, magnitude(x));
    found = select(found, x.x, abs(x.x) > abs(found));
    found = select(found, x.y, abs(x.y) > abs(found));
    found = select(found, x.z, abs(x.z) > abs(found));
    found = select(found, x.w, abs(x.w) > abs(found));
  }
  inspect(largest);
  return f16_bits(select(found, abs(found), Q8));
}

// Integers by the scale as it is kept, not as it was before it was rounded.
fn quantise(x: vec4f, scale: f32) -> vec4u {
  let steps = select(EXTREME / scale, 0.0, scale == 0.0);
  let q = vec4i(clamp(round(x * steps), vec4f(LEAST), vec4f(MOST)));
  return bitcast<vec4u>(q) & vec4u((1u << BITS) - 1u);
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = 8u * id.x;
  let k0 = 32u * id.y;
  if (row >= params.rows || k0 >= params.k) {
    return;
  }
  var scales: array<u32, 8>;
  for (var i = 0u; i < 8u; i++) {
    scales[i] = scale_bits(row + i, k0);
  }
  let s = vec4u(scales[0], scales[2], scales[4], scales[6]) | (vec4u(scales[1], scales[3], scales[5], scales[7]) << vec4u(16u));
  let lines = params.k / 32u * (16u + SCALE_LINES);
  let column = column_at(params.output_base, params.output_group0 + id.x, params.output_groups, lines);
  let at = column.first + (16u + SCALE_LINES) * id.y * column.step;
  store(at, column.step, s);
  for (var k = 0u; k < 32u; k += 4u) {
    var low = vec4u(); // first words of eight columns, four rows of k
    var high = vec4u();
    for (var i = 0u; i < 8u; i++) {
      if (row + i < params.rows) {
        let q = quantise(source4(row + i, k0 + k), f16_value(scales[i])) << vec4u(BITS * i % 32u);
        low |= select(vec4u(), q, BITS * i < 32u);
        high |= select(q, vec4u(), BITS * i < 32u);
      }
    }
    let line = at + (SCALE_LINES + k / 2u) * column.step;
    if (Q8) {
      store(line, column.step, vec4u(low.x, high.x, low.y, high.y));
      store(line + column.step, column.step, vec4u(low.z, high.z, low.w, high.w));
    } else {
      store(line, column.step, low);
    }
  }
}
