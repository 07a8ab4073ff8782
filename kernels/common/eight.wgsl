// Eight neighbouring columns of a row, and of the rows 2i and 2i+1.
struct Eight {
  lo: vec4f,
  hi: vec4f,
}

struct Pair {
  even: Eight,
  odd: Eight,
}
