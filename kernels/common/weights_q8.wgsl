// 8-bit weights. 32 rows of k are 17 lines: the f16 of largest magnitude of every column, then two rows a line, bytes in
// units of 1/127 of it. A line has one word of four for each eight columns. Functions as in weights.wgsl.
@group(0) @binding(1) var<storage, read> weights: array<vec4u>;

fn matrix_lines(k: u32) -> u32 {
  return k / 32u * 17u;
}

fn scale_of(first: u32, pair: u32, groups: u32) -> Eight {
  let q = weights[first + pair / 16u * 17u * groups];
  let unit = vec4f(1.0 / 127.0);
  return Eight(
    unit * vec4f(unpack2x16float(q.x), unpack2x16float(q.y)),
    unit * vec4f(unpack2x16float(q.z), unpack2x16float(q.w)),
  );
}

fn bytes4(q: u32) -> vec4f {
  return vec4f(bitcast<vec4i>(vec4u(q) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}

// Rows without their scale.
fn raw_pair(first: u32, pair: u32, groups: u32) -> Pair {
  let q = weights[first + (pair + pair / 16u + 1u) * groups];
  return Pair(Eight(bytes4(q.x), bytes4(q.y)), Eight(bytes4(q.z), bytes4(q.w)));
}

fn weight_row(first: u32, k: u32, groups: u32) -> Eight {
  let scale = scale_of(first, k / 2u, groups);
  let q = weights[first + (k / 2u + k / 32u + 1u) * groups];
  let row = select(q.xy, q.zw, (k & 1u) == 1u);
  return Eight(bytes4(row.x) * scale.lo, bytes4(row.y) * scale.hi);
}
