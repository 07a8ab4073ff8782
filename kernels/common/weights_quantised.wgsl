// What 8-bit and 4-bit weights have in common: 16 pairs of rows share their scales.
fn scale_pairs(pairs: u32) -> u32 {
  return min(pairs, 16u);
}

fn weight_pair(first: u32, pair: u32, groups: u32, scale: Eight) -> Pair {
  let raw = raw_pair(first, pair, groups);
  return Pair(
    Eight(raw.even.lo * scale.lo, raw.even.hi * scale.hi),
    Eight(raw.odd.lo * scale.lo, raw.odd.hi * scale.hi),
  );
}
