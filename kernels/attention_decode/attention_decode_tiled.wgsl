// 128 threads take one row, head and split, 128 keys at a time: first a thread scores a key, then threads side by side
// read neighbouring columns of v, as many groups of keys at once as fit; the groups are added up at the end.
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
const GROUPS = 128u / QUADS;

var<workgroup> q_head: array<vec4f, QUADS>;
var<workgroup> weights: array<f32, 128>; // scores, then weights; at last every thread's total
var<workgroup> group_sums: array<vec4f, 128>; // [GROUPS][QUADS]

@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let split = workgroup.x;
  let head = workgroup.y;
  let row = params.row0 + workgroup.z;
  let place = row_table[params.table_row0 + row];
  let end = min((split + 1u) * params.split_keys, place.y + 1u);
  let stride = params.kv_stride / 4u;
  let kv_at = place.x * params.capacity * stride + head * QUADS;
  if (thread < QUADS) {
    q_head[thread] = q[row * (params.q_stride / 4u) + head * QUADS + thread] * (params.scale * LOG2_E);
  }
  workgroupBarrier();
  let group = thread / QUADS;
  let quad = thread % QUADS;
  var largest = HIDDEN;
  var total = 0.0; // of the keys that this thread scores
  var sum = vec4f(); // of the keys of this thread's group
  for (var first = split * params.split_keys; first < end; first += 128u) {
    let key = first + thread;
    var s = HIDDEN;
    if (key < end) {
      s = 0.0;
      let at = kv_at + key * stride;
      for (var i = at; i < at + QUADS; i++) {
        s += dot(q_head[i - at], k_cache[i]);
      }
    }
    weights[thread] = s;
    workgroupBarrier();
    var now = largest;
    for (var i = 0u; i < 128u; i++) {
      now = max(now, weights[i]);
    }
    workgroupBarrier();
    let keep = exp2(largest - now);
    let weight = exp2(s - now);
    largest = now;
    total = total * keep + weight;
    weights[thread] = weight;
    workgroupBarrier();
    sum *= keep;
    if (group < GROUPS) {
      for (var i = group; i < min(128u, end - first); i += GROUPS) {
        sum = fma(vec4f(weights[i]), v_cache[kv_at + (first + i) * stride + quad], sum);
      }
    }
    workgroupBarrier();
  }
  weights[thread] = total;
  group_sums[thread] = sum;
  workgroupBarrier();
  if (thread >= QUADS) {
    return;
  }
  var all = 0.0;
  for (var i = 0u; i < 128u; i++) {
    all += weights[i];
  }
  for (var i = 1u; i < GROUPS; i++) {
    sum += group_sums[i * QUADS + thread];
  }
  if (params.splits == 1u) {
    o[row * (params.o_stride / 4u) + head * QUADS + thread] = sum / all;
    return;
  }
  let to = ((row * params.heads + head) * params.splits + split) * (QUADS + 1u);
  partial[to + thread] = sum;
  if (thread == 0u) {
    partial[to + QUADS] = vec4f(largest, all, 0, 0);
  }
}
