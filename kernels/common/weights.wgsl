// A lane reads eight neighbouring columns of a row at once.
// WEIGHT_FORMAT: 0 = f32 (two words of four), 1 = f16, 2 = bf16 (one word of four, two values each). The quantised
// formats are files of their own.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;

fn decode8(q: vec4u) -> Eight {
  if (WEIGHT_FORMAT == 1u) {
    return Eight(
      vec4f(unpack2x16float(q.x), unpack2x16float(q.y)),
      vec4f(unpack2x16float(q.z), unpack2x16float(q.w)),
    );
  }
  return Eight(
    bitcast<vec4f>(vec4u(q.x << 16u, q.x & 0xffff0000u, q.y << 16u, q.y & 0xffff0000u)),
    bitcast<vec4f>(vec4u(q.z << 16u, q.z & 0xffff0000u, q.w << 16u, q.w & 0xffff0000u)),
  );
}

// Columns 8i .. 8i+7 of the flattened weight array.
fn weight8(i: u32) -> Eight {
  if (WEIGHT_FORMAT == 0u) {
    return Eight(bitcast<vec4f>(weights[2u * i]), bitcast<vec4f>(weights[2u * i + 1u]));
  }
  return decode8(weights[i]);
}

// Lines of a matrix with k rows.
fn matrix_lines(k: u32) -> u32 {
  return k;
}

fn weight_row(column: Column, k: u32) -> Eight {
  return weight8(column.first + k * column.step);
}

// Reads from each cache line of a row of the strip that this column begins; what it returns means nothing.
fn touch_row(column: Column, k: u32) -> u32 {
  let at = column.first + k * column.step;
  if (WEIGHT_FORMAT != 0u) {
    return weights[at].x | weights[at + in_cache_line(1u, column.step)].x;
  }
  let words = 2u * column.step;
  let halves = weights[2u * at].x | weights[2u * at + in_cache_line(1u, words)].x;
  return halves | weights[2u * at + in_cache_line(2u, words)].x | weights[2u * at + in_cache_line(3u, words)].x;
}
