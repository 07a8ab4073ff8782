// 4-bit weights. 32 rows of k are 18 lines: the f16 of largest magnitude of every column (two lines: columns 0-3 and 4-7
// of the eights), then two rows a line, four signed bits in units of -1/8 of it. A line has two words for each eight columns.
@group(0) @binding(1) var<storage, read> weights: array<vec2u>;

const SCALE_LINES = 2u;

// The value of a stored 1, by column.
fn units_at(at: u32, step: u32) -> Eight {
  let lo = weights[at];
  let hi = weights[at + step];
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

// Integers as they are stored.
fn raw_pair(at: u32) -> Pair {
  let q = weights[at];
  return Pair(nibbles8(q.x), nibbles8(q.y));
}

fn raw_row(at: u32, odd: u32) -> Eight {
  let q = weights[at];
  return nibbles8(select(q.x, q.y, odd == 1u));
}

// Reads from each cache line of two rows of the strip that this column begins; what it returns means nothing.
fn touch_pair(column: Column, pair: u32) -> u32 {
  return weights[pair_at(column, pair)].x;
}
