// OWN_ROWS queries of one head a subgroup, of which a workgroup has SUBGROUPS, on matrix units. Queries stay in the units' own registers;
// 32 keys, then their values, are staged as f16. Scores, and the values' sums of a turn, go through workgroup memory, where
// SHARERS lanes serve a query: they hold its maximum, its total and their part of its output's columns in f32.
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

const THREADS = SUBGROUPS * SUBGROUP;
const OWN_ROWS = SUBGROUP / SHARERS;
const ROWS = SUBGROUPS * OWN_ROWS;
const KEYS = 32u; // keys a turn, and columns a part of queries and outputs
const QUADS = HEAD_DIM / 4u;
const PARTS = HEAD_DIM / KEYS;
const FOURS = KEYS / 4u / SHARERS; // of 32 keys or columns, a lane's
const M_EACH = OWN_ROWS / MATRIX_M;
const DEPTH = HEAD_DIM / MATRIX_K; // matrices along a query
const PART_DEPTH = KEYS / MATRIX_K;
const KV_PITCH = QUADS + 2u; // two fours unused, so that neighbouring rows lie in different banks
const PART_PITCH = KEYS / 4u + 2u;
const PART_AT = KEYS * KV_PITCH;
const SCORE_PITCH = KEYS / 4u + 1u;
const LOG2_E = 1.4426950408889634;
const HIDDEN = -1e30; // the score of a key that its query may not see: finite, so that no difference is NaN

var<workgroup> stage: array<Half4, PART_AT + ROWS * PART_PITCH>; // keys or values, then parts of queries or weights
var<workgroup> scratch: array<vec4f, ROWS * SCORE_PITCH>;

alias Fours = array<vec4f, FOURS>;

fn own_fours(row: u32, sharer: u32) -> Fours {
  var own: Fours;
  for (var i = 0u; i < FOURS; i++) {
    own[i] = scratch[row * SCORE_PITCH + FOURS * sharer + i];
  }
  return own;
}

@diagnostic(off, subgroup_uniformity)
fn largest_shared(own: f32) -> f32 {
  var x = own;
  for (var i = 1u; i < SHARERS; i *= 2u) {
    x = max(x, subgroupShuffleXor(x, i));
  }
  return x;
}

@diagnostic(off, subgroup_uniformity)
fn sum_shared(own: f32) -> f32 {
  var x = own;
  for (var i = 1u; i < SHARERS; i *= 2u) {
    x += subgroupShuffleXor(x, i);
  }
  return x;
}

fn stage_rows(thread: u32, from_values: bool, row0: u32, last: u32, quad0: u32) {
  let stride = params.kv_stride / 4u;
  for (var i = thread; i < KEYS * QUADS; i += THREADS) {
    let at = min(row0 + i / QUADS, last) * stride + quad0 + i % QUADS;
    var x: vec4f;
    if (from_values) { x = v[at]; } else { x = k[at]; }
    stage[i / QUADS * KV_PITCH + i % QUADS] = half4(x);
  }
}

@compute @workgroup_size(THREADS) @diagnostic(off, subgroup_uniformity)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let subgroup = subgroup_of(thread);
  let own_row = subgroup * OWN_ROWS;
  let row = thread / SHARERS; // the lane's query in the tile
  let sharer = thread % SHARERS;
  let row0 = workgroup.x * ROWS;
  let group_row = params.q_row0 + workgroup.z * params.rows;
  let head_quad = workgroup.y * QUADS;

  var queries: array<Left, M_EACH * DEPTH>;
  for (var part = 0u; part < PARTS; part++) {
    for (var i = thread; i < ROWS * KEYS / 4u; i += THREADS) {
      let of_row = group_row + min(row0 + i / (KEYS / 4u), params.rows - 1u);
      let at = of_row * (params.q_stride / 4u) + params.q_col0 / 4u + head_quad + part * (KEYS / 4u) + i % (KEYS / 4u);
      stage[PART_AT + i / (KEYS / 4u) * PART_PITCH + i % (KEYS / 4u)] = half4(q[at] * (params.scale * LOG2_E));
    }
    workgroupBarrier();
    for (var m = 0u; m < M_EACH; m++) {
      for (var d = 0u; d < PART_DEPTH; d++) {
        let at = PART_AT + (own_row + m * MATRIX_M) * PART_PITCH + d * (MATRIX_K / 4u);
        queries[m * DEPTH + part * PART_DEPTH + d] = load_left(at, PART_PITCH);
      }
    }
    workgroupBarrier();
  }

  var end = params.keys; // keys that some query of the tile sees
  var seen = params.keys;
  if (CAUSAL) {
    end = params.first_position + min(row0 + ROWS, params.rows);
    seen = params.first_position + row0 + row + 1u;
  }
  let kv_row = params.k_row0 + workgroup.z * params.keys;
  let kv_last = kv_row + end - 1u;
  var sums: array<vec4f, FOURS * PARTS>;
  var total = 0.0; // of the lane's own keys
  var largest = HIDDEN;
  for (var key0 = 0u; key0 < end; key0 += KEYS) {
    stage_rows(thread, false, kv_row + key0, kv_last, params.k_col0 / 4u + head_quad);
    workgroupBarrier();
    for (var n = 0u; n < KEYS; n += MATRIX_N) {
      var scores = array<Result, M_EACH>();
      for (var d = 0u; d < DEPTH; d++) {
        let right = load_right_turned(n * KV_PITCH + d * (MATRIX_K / 4u), KV_PITCH);
        for (var m = 0u; m < M_EACH; m++) {
          scores[m] = multiply_add(queries[m * DEPTH + d], right, scores[m]);
        }
      }
      for (var m = 0u; m < M_EACH; m++) {
        store_result((own_row + m * MATRIX_M) * SCORE_PITCH + n / 4u, SCORE_PITCH, scores[m]);
      }
    }
    workgroupBarrier();
    stage_rows(thread, true, kv_row + key0, kv_last, params.v_col0 / 4u + head_quad);
    var own = own_fours(row, sharer);
    var now = largest;
    for (var i = 0u; i < FOURS; i++) {
      let visible = vec4u(key0 + 4u * (FOURS * sharer + i)) + vec4u(0, 1, 2, 3) < vec4u(seen);
      own[i] = select(vec4f(HIDDEN), own[i], visible);
      now = max(now, max(max(own[i].x, own[i].y), max(own[i].z, own[i].w)));
    }
    now = largest_shared(now);
    let keep = exp2(largest - now);
    largest = now;
    total *= keep;
    for (var i = 0u; i < FOURS; i++) {
      let weights = exp2(own[i] - now);
      total += dot(weights, vec4f(1));
      stage[PART_AT + row * PART_PITCH + FOURS * sharer + i] = half4(weights);
    }
    workgroupBarrier();
    var weights: array<Left, M_EACH * PART_DEPTH>;
    for (var m = 0u; m < M_EACH; m++) {
      for (var d = 0u; d < PART_DEPTH; d++) {
        let at = PART_AT + (own_row + m * MATRIX_M) * PART_PITCH + d * (MATRIX_K / 4u);
        weights[m * PART_DEPTH + d] = load_left(at, PART_PITCH);
      }
    }
    for (var part = 0u; part < PARTS; part++) {
      for (var n = 0u; n < KEYS; n += MATRIX_N) {
        var turn = array<Result, M_EACH>();
        for (var d = 0u; d < PART_DEPTH; d++) {
          let right = load_right(d * MATRIX_K * KV_PITCH + (part * KEYS + n) / 4u, KV_PITCH);
          for (var m = 0u; m < M_EACH; m++) {
            turn[m] = multiply_add(weights[m * PART_DEPTH + d], right, turn[m]);
          }
        }
        for (var m = 0u; m < M_EACH; m++) {
          store_result((own_row + m * MATRIX_M) * SCORE_PITCH + n / 4u, SCORE_PITCH, turn[m]);
        }
      }
      workgroupBarrier();
      let more = own_fours(row, sharer);
      for (var i = 0u; i < FOURS; i++) {
        sums[FOURS * part + i] = fma(sums[FOURS * part + i], vec4f(keep), more[i]);
      }
      workgroupBarrier();
    }
  }
  let divisor = sum_shared(total);
  if (row0 + row < params.rows) {
    let to = (group_row + row0 + row) * (params.o_stride / 4u) + head_quad + FOURS * sharer;
    for (var i = 0u; i < FOURS * PARTS; i++) {
      o[to + i / FOURS * (KEYS / 4u) + i % FOURS] = sums[i] / divisor;
    }
  }
}
