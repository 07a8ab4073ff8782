// A workgroup a row.
struct Params {
  rows: u32,
  experts: u32,
  k: u32,
  stride: u32,
  row0: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> experts: array<u32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = params.row0 + workgroup.x;
  for (var e = thread; e < params.experts; e += 64u) {
    row_logits[e] = logits[row * params.stride + e];
  }
  workgroupBarrier();
  let top = row_top(params.experts);
  let sum = row_sum(params.experts, top);
  for (var e = thread; e < params.experts; e += 64u) {
    let place = place_of(e, params.experts);
    if (place < params.k) {
      experts[row * params.k + place] = e;
      weights[row * params.k + place] = exp(row_logits[e] - top) / sum;
    }
  }
}
