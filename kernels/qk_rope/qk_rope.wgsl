// A workgroup prepares one token: norms of q and k over all heads together, rotation, and the token's cache row.
struct Params {
  rows: u32,
  heads: u32,
  qkv_stride: u32,
  k_col0: u32,
  v_col0: u32,
  q_stride: u32,
  kv_stride: u32,
  capacity: u32,
  table_row0: u32,
  row0: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> qkv: array<vec4f>;
@group(0) @binding(1) var<storage, read> q_weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> k_weight: array<vec4f>;
@group(0) @binding(3) var<storage, read> rope: array<vec4f>; // (cos, sin) of two neighbouring dimensions
@group(0) @binding(4) var<storage, read> row_table: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> q: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> k_cache: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> v_cache: array<vec4f>;
var<immediate> params: Params;

const HALF = HEAD_DIM / 8u; // half a head, in fours

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row = params.row0 + workgroup.x;
  let place = row_table[params.table_row0 + row]; // sequence slot, position
  let from_q = row * (params.qkv_stride / 4u);
  let from_k = from_q + params.k_col0 / 4u;
  let from_v = from_q + params.v_col0 / 4u;
  let to_q = row * (params.q_stride / 4u);
  let to_kv = (place.x * params.capacity + place.y) * (params.kv_stride / 4u);
  let quads = params.heads * 2u * HALF;

  var squares = vec4f();
  for (var i = thread; i < quads; i += THREADS) {
    let a = qkv[from_q + i];
    let b = qkv[from_k + i];
    squares += vec4f(dot(a, a), dot(b, b), 0.0, 0.0);
  }
  let scale = inverseSqrt(row_sum4(squares, thread).xy / f32(4u * quads) + params.eps);

  for (var i = thread; i < params.heads * HALF; i += THREADS) {
    let j = i % HALF;
    let lo = (i / HALF) * 2u * HALF + j;
    let hi = lo + HALF;
    let angles = place.y * (2u * HALF) + 2u * j;
    let t0 = rope[angles];
    let t1 = rope[angles + 1u];
    let cosine = vec4f(t0.xz, t1.xz);
    let sine = vec4f(t0.yw, t1.yw);
    let q1 = qkv[from_q + lo] * scale.x * q_weight[lo];
    let q2 = qkv[from_q + hi] * scale.x * q_weight[hi];
    q[to_q + lo] = q1 * cosine - q2 * sine;
    q[to_q + hi] = q2 * cosine + q1 * sine;
    let k1 = qkv[from_k + lo] * scale.y * k_weight[lo];
    let k2 = qkv[from_k + hi] * scale.y * k_weight[hi];
    k_cache[to_kv + lo] = k1 * cosine - k2 * sine;
    k_cache[to_kv + hi] = k2 * cosine + k1 * sine;
    v_cache[to_kv + lo] = qkv[from_v + lo];
    v_cache[to_kv + hi] = qkv[from_v + hi];
  }
}
