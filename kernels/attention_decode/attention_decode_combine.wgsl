// A thread finishes four columns of one row and head. A split without keys has a total of 0 and adds nothing.
struct Params {
  rows: u32,
  heads: u32,
  splits: u32,
  o_stride: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> o: array<vec4f>;
var<immediate> params: Params;

const QUADS = HEAD_DIM / 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row_head = id.x / QUADS;
  let quad = id.x % QUADS;
  if (row_head >= params.rows * params.heads) {
    return;
  }
  let first = row_head * params.splits * (QUADS + 1u);
  var largest = partial[first + QUADS].x; // split 0 always has a key
  for (var split = 1u; split < params.splits; split++) {
    largest = max(largest, partial[first + split * (QUADS + 1u) + QUADS].x);
  }
  var sum = vec4f();
  var total = 0.0;
  for (var split = 0u; split < params.splits; split++) {
    let at = first + split * (QUADS + 1u);
    let weight = exp2(partial[at + QUADS].x - largest);
    sum += partial[at + quad] * weight;
    total += partial[at + QUADS].y * weight;
  }
  let row = row_head / params.heads;
  o[row * (params.o_stride / 4u) + (row_head % params.heads) * QUADS + quad] = sum / total;
}
