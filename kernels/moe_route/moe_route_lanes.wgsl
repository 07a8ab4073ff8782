// A lane a row: no lane waits for another, which on software adapters beats any sharing of a row. Each pass over the row
// takes the best expert behind the one taken before.
const NO_EXPERT = 0xffffffffu;
const NO_WEIGHT = -1.0;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.rows) {
    return;
  }
  let row = params.row0 + id.x;
  let at = row * params.stride;
  var top = logits[at];
  for (var e = 1u; e < params.experts; e++) {
    top = max(top, logits[at + e]);
  }
  var sum = 0.0;
  for (var e = 0u; e < params.experts; e++) {
    sum += exp(logits[at + e] - top);
  }
  let k = taken(row);
  var last_key = 0u;
  var last = 0u;
  for (var j = 0u; j < k; j++) {
    var best_key = 0u;
    var best = params.experts;
    for (var e = 0u; e < params.experts; e++) {
      let key = order_key(logits[at + e]);
      let left = j == 0u || key < last_key || (key == last_key && e > last);
      if (left && (key > best_key || best == params.experts)) {
        best_key = key;
        best = e;
      }
    }
    experts[row * params.k + j] = best;
    weights[row * params.k + j] = exp(logits[at + best] - top) / sum;
    last_key = best_key;
    last = best;
  }
  for (var j = k; j < params.k; j++) {
    experts[row * params.k + j] = NO_EXPERT;
    weights[row * params.k + j] = NO_WEIGHT;
  }
}
