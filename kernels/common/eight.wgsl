// Eight neighbouring columns of a row.
struct Eight {
  lo: vec4f,
  hi: vec4f,
}

// Rows 2i and 2i+1.
struct Pair {
  even: Eight,
  odd: Eight,
}
