// A workgroup a row. An expert's place is the number of experts that come before it, so nothing is sorted and one
// barrier does.
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

var<workgroup> row_logits: array<f32, 256>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = params.row0 + workgroup.x;
  for (var e = thread; e < params.experts; e += 64u) {
    row_logits[e] = logits[row * params.stride + e];
  }
  workgroupBarrier();
  var top = row_logits[0];
  for (var e = 1u; e < params.experts; e++) {
    top = max(top, row_logits[e]);
  }
  var sum = 0.0;
  for (var e = 0u; e < params.experts; e++) {
    sum += exp(row_logits[e] - top);
  }
  for (var e = thread; e < params.experts; e += 64u) {
    let key = order_key(row_logits[e]);
    var place = 0u;
    for (var other = 0u; other < params.experts; other++) {
      let other_key = order_key(row_logits[other]);
      place += u32(other_key > key || (other_key == key && other < e));
    }
    if (place < params.k) {
      experts[row * params.k + place] = e;
      weights[row * params.k + place] = exp(row_logits[e] - top) / sum;
    }
  }
}
