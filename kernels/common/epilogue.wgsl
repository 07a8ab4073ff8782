// What happens to finished columns: bias, activation, then store or add to what is there. Flags, not constants: one
// pipeline serves every projection, and software adapters compile slowly.
const HAS_BIAS = 1u;
const ACCUMULATE = 2u;
const QUICK_GELU = 4u; // x * sigmoid(1.702 x)
const SILU = 8u; // x * sigmoid(x)

// `quad` counts fours of columns inside this weight slice; the slice starts at params.col0 in the output.
fn bias4(quad: u32) -> vec4f {
  if ((params.epilogue & HAS_BIAS) != 0u) {
    return bias[quad + params.col0 / 4u];
  }
  return vec4f();
}

fn finish4(row: u32, quad: u32, sum: vec4f) {
  finish_biased(row, quad, sum + bias4(quad));
}

fn finish_biased(row: u32, quad: u32, sum: vec4f) {
  var x = sum;
  if ((params.epilogue & (QUICK_GELU | SILU)) != 0u) {
    let slope = select(1.0, 1.702, (params.epilogue & QUICK_GELU) != 0u);
    x = x / (1.0 + exp(-slope * x));
  }
  let at = row * (params.c_stride / 4u) + params.col0 / 4u + quad;
  if ((params.epilogue & ACCUMULATE) != 0u) {
    x += c[at];
  }
  c[at] = x;
}
