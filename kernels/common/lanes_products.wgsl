alias Sums = array<vec4f, 2u * TEAM>; // low fours of columns of a row each of TEAM lanes, then high ones
const BLOCKS = ROWS / TEAM; // at most four
alias Starts = array<u32, BLOCKS>; // where in `a` the lane's row of each block begins
alias Blocks = array<Sums, BLOCKS>;

// Written out by these: a loop over blocks would be too long for a driver to unroll.
const SECOND = min(1u, BLOCKS - 1u);
const THIRD = min(2u, BLOCKS - 1u);
const FOURTH = min(3u, BLOCKS - 1u);

// TEAM rows, of which lane i holds two values of row i, times two rows of weights.
@diagnostic(off, subgroup_uniformity)
fn add_block(own: vec2f, w0: Eight, w1: Eight, sums: ptr<function, Sums>) {
  for (var i = 0u; i < TEAM; i++) {
    let x = subgroupShuffle(own, i);
    (*sums)[i] = fma(vec4f(x.y), w1.lo, fma(vec4f(x.x), w0.lo, (*sums)[i]));
    (*sums)[TEAM + i] = fma(vec4f(x.y), w1.hi, fma(vec4f(x.x), w0.hi, (*sums)[TEAM + i]));
  }
}

fn own_values(starts: Starts, k: u32, blocks: u32) -> array<vec2f, BLOCKS> {
  var own: array<vec2f, BLOCKS>;
  for (var b = 0u; b < blocks; b++) {
    own[b] = a[starts[b] + k];
  }
  return own;
}

// Of the first `blocks` alone, a number that callers write down.
fn add_products(own: array<vec2f, BLOCKS>, w0: Eight, w1: Eight, blocks: u32, sums: ptr<function, Blocks>) {
  add_block(own[0], w0, w1, &(*sums)[0]);
  if (blocks > 1u) {
    add_block(own[SECOND], w0, w1, &(*sums)[SECOND]);
  }
  if (blocks > 2u) {
    add_block(own[THIRD], w0, w1, &(*sums)[THIRD]);
  }
  if (blocks > 3u) {
    add_block(own[FOURTH], w0, w1, &(*sums)[FOURTH]);
  }
}
