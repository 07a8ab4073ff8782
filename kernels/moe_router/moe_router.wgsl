// A workgroup a row, from the residual to the chosen experts, written over what its variants do differently. Rows of
// `a` are the normalised ones: the workgroup that writes one reads it back.
@group(0) @binding(2) var<storage, read> norm_weight: array<Value>;
@group(0) @binding(3) var<storage, read_write> a: array<Value>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;
@group(0) @binding(5) var<storage, read_write> experts: array<u32>;
@group(0) @binding(6) var<storage, read_write> route_weights: array<f32>;
@group(0) @binding(0) var<storage, read> x: array<Value>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = workgroup.x;
  let width = params.k / VALUES;
  let x_at = row * (params.x_stride / VALUES);
  let a_at = row * (params.normed_stride / VALUES);
  var squares = Value();
  for (var i = thread; i < width; i += THREADS) {
    let v = x[x_at + i];
    squares = fma(v, v, squares);
  }
  let scale = inverseSqrt(row_total(squares, thread) / f32(params.k) + params.eps);
  for (var i = thread; i < width; i += THREADS) {
    a[a_at + i] = x[x_at + i] * scale * norm_weight[i];
  }
  storageBarrier();
  fill_logits(a_at, thread);
  workgroupBarrier();
  let top = row_top(params.experts);
  let sum = row_sum(params.experts, top);
  for (var e = thread; e < params.experts; e += THREADS) {
    logits[row * params.logits_stride + e] = row_logits[e];
    let place = place_of(e, params.experts);
    if (place < params.top_k) {
      experts[row * params.top_k + place] = e;
      route_weights[row * params.top_k + place] = exp(row_logits[e] - top) / sum;
    }
  }
}
