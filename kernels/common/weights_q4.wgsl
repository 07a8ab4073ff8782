// 4-bit weights. 32 rows of k are 18 lines: the f16 of largest magnitude of every column (two lines: columns 0-3 and 4-7
// of the eights), then two rows a line, four signed bits in units of -1/8 of it. A line has two words for each eight
// columns. Functions as in weights.wgsl.
@group(0) @binding(1) var<storage, read> weights: array<vec2u>;

fn matrix_lines(k: u32) -> u32 {
  return k / 32u * 18u;
}

fn scale_of(first: u32, pair: u32, groups: u32) -> Eight {
  let at = first + pair / 16u * 18u * groups;
  let lo = weights[at];
  let hi = weights[at + groups];
  let unit = vec4f(-1.0 / 8.0);
  return Eight(
    unit * vec4f(unpack2x16float(lo.x), unpack2x16float(lo.y)),
    unit * vec4f(unpack2x16float(hi.x), unpack2x16float(hi.y)),
  );
}

fn nibbles8(q: u32) -> Eight {
  return Eight(
    vec4f(bitcast<vec4i>(vec4u(q) << vec4u(28u, 24u, 20u, 16u)) >> vec4u(28u)),
    vec4f(bitcast<vec4i>(vec4u(q) << vec4u(12u, 8u, 4u, 0u)) >> vec4u(28u)),
  );
}

// Rows without their scale.
fn raw_pair(first: u32, pair: u32, groups: u32) -> Pair {
  let q = weights[first + (pair + pair / 16u * 2u + 2u) * groups];
  return Pair(nibbles8(q.x), nibbles8(q.y));
}

fn weight_row(first: u32, k: u32, groups: u32) -> Eight {
  let scale = scale_of(first, k / 2u, groups);
  let q = weights[first + (k / 2u + k / 32u * 2u + 2u) * groups];
  let row = nibbles8(select(q.x, q.y, (k & 1u) == 1u));
  return Eight(row.lo * scale.lo, row.hi * scale.hi);
}
