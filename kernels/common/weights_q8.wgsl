// 8-bit weights. 32 rows of k are 17 lines: the f16 of largest magnitude of every column, then two rows a line, signed
// bytes in units of 1/127 of it. A line has one word of four for each eight columns.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;

const SCALE_LINES = 1u;

// The value of a stored 1, by column.
fn units_at(at: u32, step: u32) -> Eight {
  let q = weights[at];
  let unit = vec4f(1.0 / 127.0);
  return Eight(
    unit * vec4f(unpack2x16float(q.x), unpack2x16float(q.y)),
    unit * vec4f(unpack2x16float(q.z), unpack2x16float(q.w)),
  );
}

fn bytes4(q: u32) -> vec4f {
  return vec4f(bitcast<vec4i>(vec4u(q) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}

// Integers as they are stored.
fn raw_pair(at: u32) -> Pair {
  let q = weights[at];
  return Pair(Eight(bytes4(q.x), bytes4(q.y)), Eight(bytes4(q.z), bytes4(q.w)));
}

fn raw_row(at: u32, odd: u32) -> Eight {
  let q = weights[at];
  let row = select(q.xy, q.zw, odd == 1u);
  return Eight(bytes4(row.x), bytes4(row.y));
}

// Reads from each cache line of two rows of the strip that this column begins; what it returns means nothing.
fn touch_pair(column: Column, pair: u32) -> u32 {
  let at = pair_at(column, pair);
  return weights[at].x | weights[at + in_cache_line(1u, column.step)].x;
}
