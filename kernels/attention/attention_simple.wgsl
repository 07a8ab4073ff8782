// A thread has one query of one head and meets its keys four at a time: no barrier and no subgroup, for adapters where the
// one is dear and the other is too narrow.
struct Params {
  groups: u32,
  rows: u32,
  keys: u32,
  heads: u32,
  q_stride: u32,
  kv_stride: u32,
  o_stride: u32,
  q_col0: u32,
  k_col0: u32,
  v_col0: u32,
  q_row0: u32,
  k_row0: u32,
  first_position: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> o: array<vec4f>;
var<immediate> params: Params;

const QUADS = HEAD_DIM / 4u;
const LOG2_E = 1.4426950408889634;
const HIDDEN = -1e30; // the score of a key that is not there: finite, so that no difference is NaN

@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  let own_row = params.q_row0 + id.z * params.rows + row;
  let q_at = own_row * (params.q_stride / 4u) + params.q_col0 / 4u + id.y * QUADS;
  var x: array<vec4f, QUADS>;
  var sums: array<vec4f, QUADS>;
  for (var j = 0u; j < QUADS; j++) {
    x[j] = q[q_at + j] * (params.scale * LOG2_E);
  }
  var end = params.keys;
  if (CAUSAL) {
    end = params.first_position + row + 1u;
  }
  let kv_row = params.k_row0 + id.z * params.keys;
  let stride = params.kv_stride / 4u;
  let k_at = params.k_col0 / 4u + id.y * QUADS;
  let v_at = params.v_col0 / 4u + id.y * QUADS;
  var largest = HIDDEN;
  var total = 0.0;
  for (var key = 0u; key < end; key += 4u) {
    let keys = vec4u(key) + vec4u(0, 1, 2, 3);
    let at = (vec4u(kv_row) + min(keys, vec4u(end - 1u))) * stride;
    var s = vec4f();
    for (var j = 0u; j < QUADS; j++) {
      let i = at + vec4u(k_at + j);
      s += vec4f(dot(x[j], k[i.x]), dot(x[j], k[i.y]), dot(x[j], k[i.z]), dot(x[j], k[i.w]));
    }
    s = select(vec4f(HIDDEN), s, keys < vec4u(end));
    let now = max(max(largest, max(s.x, s.y)), max(s.z, s.w));
    let keep = exp2(largest - now);
    let w = exp2(s - now);
    largest = now;
    total = total * keep + dot(w, vec4f(1));
    for (var j = 0u; j < QUADS; j++) {
      let i = at + vec4u(v_at + j);
      sums[j] = sums[j] * keep + w.x * v[i.x] + w.y * v[i.y] + w.z * v[i.z] + w.w * v[i.w];
    }
  }
  let to = own_row * (params.o_stride / 4u) + id.y * QUADS;
  for (var j = 0u; j < QUADS; j++) {
    o[to + j] = sums[j] / total;
  }
}
