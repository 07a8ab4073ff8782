alias Sums = array<vec4f, TEAM>; // four columns of a row each of TEAM lanes: eight, or four where subgroups have no more

// TEAM rows, of which lane i holds two values of row i, times two rows of weights.
@diagnostic(off, subgroup_uniformity)
fn add_products(own: vec2f, w0: Eight, w1: Eight, lo: ptr<function, Sums>, hi: ptr<function, Sums>) {
  for (var i = 0u; i < TEAM; i++) {
    let x = subgroupShuffle(own, i);
    (*lo)[i] = fma(vec4f(x.y), w1.lo, fma(vec4f(x.x), w0.lo, (*lo)[i]));
    (*hi)[i] = fma(vec4f(x.y), w1.hi, fma(vec4f(x.x), w0.hi, (*hi)[i]));
  }
}
