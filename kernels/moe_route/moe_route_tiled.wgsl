// A workgroup a row, written over how many experts a row takes.
const NO_EXPERT = 0xffffffffu;
const NO_WEIGHT = -1.0;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = params.row0 + workgroup.x;
  for (var e = thread; e < params.experts; e += 64u) {
    row_logits[e] = logits[row * params.stride + e];
  }
  workgroupBarrier();
  let top = row_top(params.experts);
  let sum = row_sum(params.experts, top);
  let k = taken(row);
  for (var e = thread; e < params.experts; e += 64u) {
    let place = place_of(e, params.experts);
    let slot = row * params.k + place;
    if (place < k) {
      experts[slot] = e;
      weights[slot] = exp(row_logits[e] - top) / sum;
    } else if (place < params.k) {
      experts[slot] = NO_EXPERT;
      weights[slot] = NO_WEIGHT;
    }
  }
}
