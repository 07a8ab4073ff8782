// A workgroup searches a row. Each thread keeps four candidates, one a component, and takes four loads a turn so that
// they overlap; among equals the first index wins everywhere.
struct Params {
  rows: u32,
  cols: u32,
  stride: u32,
  token_row0: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<vec4u>; // bits of f32
@group(0) @binding(1) var<storage, read_write> tokens: array<u32>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = workgroup.x * (params.stride / 4u);
  let last = (params.cols - 1u) / 4u;
  var keys = vec4u(NO_KEY);
  var quads = vec4u();
  for (var q = thread; q <= last; q += 4u * THREADS) {
    for (var i = 0u; i < 4u; i++) {
      let quad = q + i * THREADS;
      let columns = 4u * quad + vec4u(0u, 1u, 2u, 3u);
      let seen = select(vec4u(NO_KEY), ordered4(logits[row + min(quad, last)]), columns < vec4u(params.cols));
      let better = seen > keys;
      keys = select(keys, seen, better);
      quads = select(quads, vec4u(quad), better);
    }
  }
  let best = row_max(max(max(keys.x, keys.y), max(keys.z, keys.w)), thread);
  // The smallest index is the largest complement.
  let columns = 4u * quads + vec4u(0u, 1u, 2u, 3u);
  let complements = select(vec4u(), ~columns, keys == vec4u(best));
  let index = ~row_max(max(max(complements.x, complements.y), max(complements.z, complements.w)), thread);
  if (thread == 0u) {
    tokens[params.token_row0 + workgroup.x] = select(index, 0xffffffffu, best == NAN_KEY);
  }
}
