// TEAM lanes (eight, or four where subgroups have no more) have one row, head and split. A lane owns every eighth (or
// fourth) four of columns of q, k, v and sums: neighbouring lanes read neighbouring addresses, each value once, and only scores are added up across lanes.
// Wider subgroups hold several teams, each on a head of its own.
struct Params {
  rows: u32,
  heads: u32,
  q_stride: u32,
  kv_stride: u32,
  o_stride: u32,
  capacity: u32,
  table_row0: u32,
  row0: u32,
  splits: u32,
  split_keys: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k_cache: array<vec4f>;
@group(0) @binding(2) var<storage, read> v_cache: array<vec4f>;
@group(0) @binding(3) var<storage, read> row_table: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> o: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> partial: array<vec4f>;
var<immediate> params: Params;

const QUADS = HEAD_DIM / 4u;
const LOG2_E = 1.4426950408889634;
const HIDDEN = -1e30; // finite, so that no difference is NaN, also where a split has no key at all
const OWN = (QUADS + TEAM - 1u) / TEAM; // fours of columns a lane

// With TOUCH, each cache line is read once at an address that all lanes share before lanes gather from it: see
// matvec/lane_columns.wgsl. The result means nothing.
fn touch_key(at: u32) -> u32 {
  var touched = 0u;
  for (var quad = 0u; quad < QUADS; quad += 4u) {
    touched |= bitcast<u32>(k_cache[at + quad].x) | bitcast<u32>(v_cache[at + quad].x);
  }
  return touched;
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let lane = local.x % TEAM;
  let own_head = workgroup.y * (LANES / TEAM) + local.x / TEAM;
  let head = min(own_head, params.heads - 1u); // surplus teams repeat the last head and store nothing
  let row = params.row0 + workgroup.z;
  let split = workgroup.x;
  let place = row_table[params.table_row0 + row];
  let end = min((split + 1u) * params.split_keys, place.y + 1u);
  let stride = params.kv_stride / 4u;
  let slot_at = place.x * params.capacity * stride;
  let kv_at = slot_at + head * QUADS;
  let shared_at = slot_at + min(workgroup.y * (LANES / TEAM), params.heads - 1u) * QUADS;
  var quads: array<u32, OWN>;
  var x: array<vec4f, OWN>;
  var sums: array<vec4f, OWN>;
  for (var i = 0u; i < OWN; i++) {
    quads[i] = min(lane + TEAM * i, QUADS - 1u);
    // Lanes beyond the last column count as zeros in every score.
    let own = q[row * (params.q_stride / 4u) + head * QUADS + quads[i]] * (params.scale * LOG2_E);
    x[i] = select(vec4f(), own, lane + TEAM * i < QUADS);
  }
  var largest = HIDDEN;
  var total = 0.0;
  var touched = 0u;
  for (var key = split * params.split_keys; key < end; key++) {
    if (TOUCH) {
      touched |= touch_key(shared_at + key * stride);
    }
    let at = kv_at + key * stride;
    var s = 0.0;
    for (var i = 0u; i < OWN; i++) {
      s += dot(x[i], k_cache[at + quads[i]]);
    }
    s += subgroupShuffleXor(s, 1u);
    s += subgroupShuffleXor(s, 2u);
    if (TEAM > 4u) {
      s += subgroupShuffleXor(s, 4u);
    }
    if (s > largest) { // seldom after the first keys
      let keep = exp2(largest - s);
      largest = s;
      total *= keep;
      for (var i = 0u; i < OWN; i++) {
        sums[i] *= keep;
      }
    }
    let weight = exp2(s - largest);
    total += weight;
    for (var i = 0u; i < OWN; i++) {
      sums[i] = fma(vec4f(weight), v_cache[at + quads[i]], sums[i]);
    }
  }
  if (own_head >= params.heads) {
    return;
  }
  if (TOUCH) { // adds nothing: no count has the highest bit
    total = bitcast<f32>(bitcast<u32>(total) | (touched & (params.rows >> 31u)));
  }
  if (params.splits == 1u) {
    for (var i = 0u; lane + TEAM * i < QUADS; i++) {
      o[row * (params.o_stride / 4u) + head * QUADS + lane + TEAM * i] = sums[i] / total;
    }
    return;
  }
  let to = ((row * params.heads + head) * params.splits + split) * (QUADS + 1u);
  for (var i = 0u; lane + TEAM * i < QUADS; i++) {
    partial[to + lane + TEAM * i] = sums[i];
  }
  if (lane == 0u) {
    partial[to + QUADS] = vec4f(largest, total, 0, 0);
  }
}
