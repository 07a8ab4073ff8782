// What 8-bit and 4-bit weights have in common: 16 pairs of rows share their scales, which lie in SCALE_LINES lines before
// them. matrix_lines and weight_row are as in weights.wgsl.

// Rows 2i and 2i+1.
struct Pair {
  even: Eight,
  odd: Eight,
}

fn matrix_lines(k: u32) -> u32 {
  return k / 32u * (16u + SCALE_LINES);
}

// Pairs of rows that share their scales: 16, in a way that keeps loops over them from unrolling.
fn scale_pairs(pairs: u32) -> u32 {
  return min(pairs, 16u);
}

// The scales of a pair of rows.
fn scale_of(column: Column, pair: u32) -> Eight {
  return units_at(column.first + pair / 16u * (16u + SCALE_LINES) * column.step, column.step);
}

// Where a pair of rows lies; the next pair is a step further, up to the next scale.
fn pair_at(column: Column, pair: u32) -> u32 {
  return column.first + (pair + (pair / 16u + 1u) * SCALE_LINES) * column.step;
}

fn scaled(raw: Eight, scale: Eight) -> Eight {
  return Eight(raw.lo * scale.lo, raw.hi * scale.hi);
}

fn weight_pair(column: Column, pair: u32, scale: Eight) -> Pair {
  let raw = raw_pair(pair_at(column, pair));
  return Pair(scaled(raw.even, scale), scaled(raw.odd, scale));
}

fn weight_row(column: Column, k: u32) -> Eight {
  return scaled(raw_row(pair_at(column, k / 2u), k % 2u), scale_of(column, k / 2u));
}
