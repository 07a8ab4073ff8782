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

// The scales of a pair of rows, for the eight at `first` in the first line of its matrix, which has `groups` eights.
fn scale_of(first: u32, pair: u32, groups: u32) -> Eight {
  return units_at(first + pair / 16u * (16u + SCALE_LINES) * groups, groups);
}

// Where a pair of rows lies; the next pair is `groups` further, up to the next scale.
fn pair_at(first: u32, pair: u32, groups: u32) -> u32 {
  return first + (pair + (pair / 16u + 1u) * SCALE_LINES) * groups;
}

fn scaled(raw: Eight, scale: Eight) -> Eight {
  return Eight(raw.lo * scale.lo, raw.hi * scale.hi);
}

fn weight_pair(first: u32, pair: u32, groups: u32, scale: Eight) -> Pair {
  let raw = raw_pair(pair_at(first, pair, groups));
  return Pair(scaled(raw.even, scale), scaled(raw.odd, scale));
}

fn weight_row(first: u32, k: u32, groups: u32) -> Eight {
  return scaled(raw_row(pair_at(first, k / 2u, groups), k % 2u), scale_of(first, k / 2u, groups));
}
