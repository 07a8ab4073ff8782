// Eight lanes are a team with one head and 32 queries. Scoring, a lane owns every eighth query and keys are handed round;
// summing values, a lane owns columns of all queries and weights are handed round. So each key and value is fetched once
// a team. Wider subgroups hold several teams, each on a head of its own. Loops of eight unroll, which keeps their arrays
// in registers. A turn scores KEYS keys, then sums their values: two loops, because software adapters run small loops
// nearly twice as fast, and both have all loads and stores ahead of the arithmetic, because a compiler that sinks sums
// behind the branches of a load or store keeps every product in memory until then.
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
const WIDE = HEAD_DIM > 64u; // a lane then owns 16 columns of the output instead of 8
const ROWS = 32u; // queries a team: four blocks of eight
const KEYS = 64u; // keys a turn
const LOG2_E = 1.4426950408889634;
const HIDDEN = -1e30; // the score of a key that its query may not see: finite, so that no difference is NaN

alias Queries = array<vec4f, 4u * QUADS>;
alias Eight = array<vec4f, 8>; // one four of columns of eight queries

fn score(q: vec4f, k: vec4f, sum: f32) -> f32 {
  return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, sum))));
}

// 32 columns of a key, quad j and on, of which lane i holds quad j + i. Two sums a query: one alone would be a long chain.
@diagnostic(off, subgroup_uniformity)
fn score_32(
  j: u32, own: vec4f, q_own: ptr<function, Queries>, even: ptr<function, vec4f>, odd: ptr<function, vec4f>, team: u32,
) {
  for (var i = j; i < min(j + 8u, QUADS); i += 2u) {
    let k0 = subgroupShuffle(own, team + i - j);
    let k1 = subgroupShuffle(own, team + i - j + 1u);
    for (var b = 0u; b < 4u; b++) {
      (*even)[b] = score((*q_own)[b * QUADS + i], k0, (*even)[b]);
      (*odd)[b] = score((*q_own)[b * QUADS + i + 1u], k1, (*odd)[b]);
    }
  }
}

// Eight queries, whose lanes hold the weights of two keys, take up the lane's columns of their values.
@diagnostic(off, subgroup_uniformity)
fn add_values(
  sums0: ptr<function, Eight>, sums1: ptr<function, Eight>, weight: f32, next_weight: f32, values: Pair, team: u32,
) {
  for (var i = 0u; i < 8u; i++) {
    let w = vec4f(subgroupShuffle(weight, team + i));
    let n = vec4f(subgroupShuffle(next_weight, team + i));
    (*sums0)[i] = fma(n, values.next0, fma(w, values.own0, (*sums0)[i]));
    (*sums1)[i] = fma(n, values.next1, fma(w, values.own1, (*sums1)[i]));
  }
}

// Two neighbouring fours of columns of a key's values and of the next key's; of the last key twice its own.
struct Pair {
  own0: vec4f,
  own1: vec4f,
  next0: vec4f,
  next1: vec4f,
}

fn pair_at(at: u32, step: u32) -> Pair {
  return Pair(v[at], v[at + 1u], v[at + step], v[at + step + 1u]);
}

@diagnostic(off, subgroup_uniformity)
fn rescale(sums0: ptr<function, Eight>, sums1: ptr<function, Eight>, factor: f32, team: u32) {
  for (var i = 0u; i < 8u; i++) {
    let f = subgroupShuffle(factor, team + i);
    (*sums0)[i] *= f;
    (*sums1)[i] *= f;
  }
}

@compute @workgroup_size(LANES) @diagnostic(off, subgroup_uniformity)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let lane = local.x % 8u;
  let team = local.x - lane; // the team's first lane
  let own_head = workgroup.y * (LANES / 8u) + local.x / 8u;
  let head = min(own_head, params.heads - 1u); // surplus teams repeat the last head and store nothing
  let row = workgroup.x * ROWS;
  let group_row = params.q_row0 + workgroup.z * params.rows;
  let q_at = (params.q_col0 + head * HEAD_DIM) / 4u;
  var q_own: Queries; // the lane's queries: row + lane, row + lane + 8 ..
  for (var j = 0u; j < 4u * QUADS; j++) {
    let own_row = group_row + min(row + lane + 8u * (j / QUADS), params.rows - 1u);
    q_own[j] = q[own_row * (params.q_stride / 4u) + q_at + j % QUADS] * (params.scale * LOG2_E);
  }
  var end = params.keys; // keys that some query of the team sees
  if (CAUSAL) {
    end = params.first_position + min(row + ROWS, params.rows);
  }
  let seen = params.first_position + row + lane + 1u + vec4u(0, 8, 16, 24); // keys that the lane's causal queries see
  let kv_row = params.k_row0 + workgroup.z * params.keys;
  let kv_stride = params.kv_stride / 4u;
  let k_at = (params.k_col0 + head * HEAD_DIM) / 4u;
  let own_quad = min(2u * lane, QUADS - 2u); // the lane's fours of columns: this, the next, and both + 16 where WIDE
  let v_at = (params.v_col0 + head * HEAD_DIM) / 4u + own_quad;
  let upper = min(own_quad + 16u, QUADS - 2u) - own_quad;
  // By block of queries, then for the lane's four fours of columns.
  var a0: Eight; var b0: Eight; var c0: Eight; var d0: Eight;
  var a1: Eight; var b1: Eight; var c1: Eight; var d1: Eight;
  var a2: Eight; var b2: Eight; var c2: Eight; var d2: Eight;
  var a3: Eight; var b3: Eight; var c3: Eight; var d3: Eight;
  var total = vec4f(); // by block, as the scores
  var largest = vec4f(HIDDEN);
  var turn: array<vec4f, KEYS>; // scores
  for (var key0 = 0u; key0 < end; key0 += KEYS) {
    let stop = min(key0 + KEYS, end);
    let before = largest;
    var s = vec4f(); // the scores of the key before, stored a turn late: see the top
    for (var key = key0; key < stop; key++) {
      turn[(key + KEYS - 1u) % KEYS] = s;
      let k_row = (kv_row + key) * kv_stride + k_at;
      var own0 = k[k_row + min(lane, QUADS - 1u)];
      var own1 = own0; var own2 = own0; var own3 = own0;
      if (QUADS > 8u) { own1 = k[k_row + min(8u + lane, QUADS - 1u)]; }
      if (QUADS > 16u) { own2 = k[k_row + min(16u + lane, QUADS - 1u)]; }
      if (QUADS > 24u) { own3 = k[k_row + min(24u + lane, QUADS - 1u)]; }
      var even = vec4f();
      var odd = vec4f();
      score_32(0u, own0, &q_own, &even, &odd, team);
      if (QUADS > 8u) { score_32(8u, own1, &q_own, &even, &odd, team); }
      if (QUADS > 16u) { score_32(16u, own2, &q_own, &even, &odd, team); }
      if (QUADS > 24u) { score_32(24u, own3, &q_own, &even, &odd, team); }
      s = even + odd;
      if (CAUSAL) {
        s = select(vec4f(HIDDEN), s, vec4u(key) < seen);
      }
      largest = max(largest, s);
    }
    turn[(stop - 1u) % KEYS] = s;
    let keep = exp2(before - largest);
    total *= keep;
    rescale(&a0, &b0, keep.x, team);
    rescale(&a1, &b1, keep.y, team);
    rescale(&a2, &b2, keep.z, team);
    rescale(&a3, &b3, keep.w, team);
    if (WIDE) {
      rescale(&c0, &d0, keep.x, team);
      rescale(&c1, &d1, keep.y, team);
      rescale(&c2, &d2, keep.z, team);
      rescale(&c3, &d3, keep.w, team);
    }
    // Two keys a turn: a sum that lives through a loop is fetched and put back every turn.
    for (var key = key0; key < stop; key += 2u) {
      let is_pair = key + 1u < stop;
      let values = pair_at((kv_row + key) * kv_stride + v_at, select(0u, kv_stride, is_pair));
      let w = exp2(turn[key % KEYS] - largest);
      let n = select(vec4f(), exp2(turn[(key + 1u) % KEYS] - largest), is_pair);
      total += w + n;
      add_values(&a0, &b0, w.x, n.x, values, team);
      add_values(&a1, &b1, w.y, n.y, values, team);
      add_values(&a2, &b2, w.z, n.z, values, team);
      add_values(&a3, &b3, w.w, n.w, values, team);
    }
    if (WIDE) { // a loop of its own, to stay short
      for (var key = key0; key < stop; key += 2u) {
        let is_pair = key + 1u < stop;
        let values = pair_at((kv_row + key) * kv_stride + v_at + upper, select(0u, kv_stride, is_pair));
        let w = exp2(turn[key % KEYS] - largest);
        let n = select(vec4f(), exp2(turn[(key + 1u) % KEYS] - largest), is_pair);
        add_values(&c0, &d0, w.x, n.x, values, team);
        add_values(&c1, &d1, w.y, n.y, values, team);
        add_values(&c2, &d2, w.z, n.z, values, team);
        add_values(&c3, &d3, w.w, n.w, values, team);
      }
    }
  }
  let all = array<Eight, 16>(a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3);
  // Loops that cannot unroll: copies of a store are slow to compile.
  for (var i = 0u; i < min(ROWS, params.rows - row); i++) {
    let b = i / 8u;
    let sum = subgroupShuffle(total[b], team + i % 8u);
    let to = (group_row + row + i) * (params.o_stride / 4u) + head * QUADS;
    for (var quad = 2u * lane; quad < QUADS && own_head < params.heads; quad += 16u) {
      let at = 4u * b + 2u * (quad / 16u);
      o[to + quad] = all[at][i % 8u] / sum;
      o[to + quad + 1u] = all[at + 1u][i % 8u] / sum;
    }
  }
}
