// A lane an expert: eight experts read the slots together, each keeps its own. Nothing is shared, so nothing waits.
struct Params {
  rows: u32,
  k: u32,
  experts: u32,
  slot0: u32,
}

@group(0) @binding(0) var<storage, read> experts: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> lists: array<u32>;
var<immediate> params: Params;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let expert = id.x;
  if (expert >= params.experts) {
    return;
  }
  var count = 0u;
  for (var slot = 0u; slot < params.rows * params.k; slot++) {
    if (experts[params.slot0 + slot] == expert && count < params.rows) {
      lists[expert * params.rows + count] = slot;
      count++;
    }
  }
  counts[expert] = count;
}
