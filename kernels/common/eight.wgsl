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

// What makes weights of stored integers: times `factor`, plus `offset`.
struct Scale {
  factor: Eight,
  offset: Eight,
}
