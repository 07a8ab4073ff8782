alias Sums = array<vec4f, 2u * TEAM>; // low fours of columns of a row each of TEAM lanes, then high ones
const BLOCKS = ROWS / TEAM;
alias Starts = array<u32, BLOCKS>; // where in `a` the lane's row of each block begins
alias Blocks = array<Sums, BLOCKS>;

// TEAM rows, of which lane i holds two values of row i, times two rows of weights.
@diagnostic(off, subgroup_uniformity)
fn add_products(own: vec2f, w0: Eight, w1: Eight, sums: ptr<function, Sums>) {
  for (var i = 0u; i < TEAM; i++) {
    let x = subgroupShuffle(own, i);
    (*sums)[i] = fma(vec4f(x.y), w1.lo, fma(vec4f(x.x), w0.lo, (*sums)[i]));
    (*sums)[TEAM + i] = fma(vec4f(x.y), w1.hi, fma(vec4f(x.x), w0.hi, (*sums)[TEAM + i]));
  }
}
