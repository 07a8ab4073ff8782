// Eight neighbouring columns of a row.
struct Eight {
  lo: vec4f,
  hi: vec4f,
}

// Weights lie in strips of eight eights of columns, one strip behind the other, each [lines][eights]; the last may be
// narrower. So what a workgroup reads of a matrix lies together: rows that are pages apart would cost a look into the page
// tables each.
const STRIP = 8u;

// An eight of columns: where it begins in the first line, and how far the next line is.
struct Column {
  first: u32,
  step: u32,
}

// The first of four words in the i-th cache line of so many.
fn in_cache_line(i: u32, words: u32) -> u32 {
  return min(4u * i, words - 1u);
}

// `base`: where the matrix begins; it has `groups` eights of columns and as many lines.
fn column_at(base: u32, group: u32, groups: u32, lines: u32) -> Column {
  let before = group / STRIP * STRIP;
  return Column(base + before * lines + group % STRIP, min(STRIP, groups - before));
}

