// Eight lanes are a team with one head and ROWS queries. Scoring, a lane owns every eighth query and keys are handed
// round; summing values, a lane owns columns of all queries and weights are handed round. So each key and value is
// fetched once a team, and nothing goes through memory. Wider subgroups hold several teams, each on a head of its own.
// Loops of eight unroll, which keeps their arrays in registers; two keys a turn keep the code in the instruction cache.
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
const WIDE = HEAD_DIM > 64u; // a lane then owns 16 columns of the output instead of 8, and a team half as many queries
const BLOCKS = select(4u, 2u, WIDE); // eights of queries a team
const ROWS = 8u * BLOCKS;
const LOG2_E = 1.4426950408889634;
const HIDDEN = -1e30; // the score of a key that its query may not see: finite, so that no difference is NaN
const ROOM = 60.0; // weights may grow to 2^60 before the maximum they are measured from is raised

alias Queries = array<vec4f, BLOCKS * QUADS>;
alias Eight = array<vec4f, 8>; // one four of columns of eight queries

fn scores(q: vec4f, k: vec4f, sum: f32) -> f32 {
  return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, sum))));
}

// Sixteen columns, quad j and on, of two keys: lanes 0-3 hold a four of the first key each, lanes 4-7 of the second.
@diagnostic(off, subgroup_uniformity)
fn score_16(
  j: u32, own: vec4f, q_own: ptr<function, Queries>, s0: ptr<function, vec4f>, s1: ptr<function, vec4f>, team: u32,
) {
  for (var i = 0u; i < min(4u, QUADS - j); i++) {
    let k0 = subgroupShuffle(own, team + i);
    let k1 = subgroupShuffle(own, team + i + 4u);
    for (var b = 0u; b < BLOCKS; b++) {
      let x = (*q_own)[b * QUADS + j + i];
      (*s0)[b] = scores(x, k0, (*s0)[b]);
      (*s1)[b] = scores(x, k1, (*s1)[b]);
    }
  }
}

// Eight queries, whose lanes hold the weights of two keys, take up the lane's columns of both values.
@diagnostic(off, subgroup_uniformity)
fn add_values(o: ptr<function, Eight>, weights: vec2f, v0: vec4f, v1: vec4f, team: u32) {
  for (var i = 0u; i < 8u; i++) {
    let w = subgroupShuffle(weights, team + i);
    (*o)[i] = fma(vec4f(w.y), v1, fma(vec4f(w.x), v0, (*o)[i]));
  }
}

@diagnostic(off, subgroup_uniformity)
fn rescale(o: ptr<function, Eight>, keep: f32, team: u32) {
  for (var i = 0u; i < 8u; i++) {
    (*o)[i] *= subgroupShuffle(keep, team + i);
  }
}

@compute @workgroup_size(LANES) @diagnostic(off, subgroup_uniformity)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let lane = local.x % 8u;
  let team = local.x - lane; // the team's first lane
  let own_head = workgroup.y * (LANES / 8u) + local.x / 8u;
  let head = min(own_head, params.heads - 1u); // surplus teams repeat the last head and store nothing
  let row = workgroup.x * ROWS;
  let last = params.rows - 1u;
  let group_row = params.q_row0 + workgroup.z * params.rows;
  let q_at = (params.q_col0 + head * HEAD_DIM) / 4u;
  var q_own: Queries; // the lane's queries: row + lane, row + lane + 8 ..
  for (var j = 0u; j < BLOCKS * QUADS; j++) {
    let own_row = group_row + min(row + lane + 8u * (j / QUADS), last);
    q_own[j] = q[own_row * (params.q_stride / 4u) + q_at + j % QUADS] * (params.scale * LOG2_E);
  }
  var end = params.keys; // keys that some query of the team sees
  var seen = vec4u(params.keys); // keys that the lane's queries see
  if (CAUSAL) {
    end = params.first_position + min(row + ROWS, params.rows);
    seen = params.first_position + row + lane + 1u + vec4u(0, 8, 16, 24);
  }
  let kv_row = params.k_row0 + workgroup.z * params.keys;
  let kv_stride = params.kv_stride / 4u;
  let own_quad = min(2u * lane, QUADS - 2u); // the lane's fours of columns: this, the next, and both + 16 where WIDE
  let k_at = (params.k_col0 + head * HEAD_DIM) / 4u;
  let v_at = (params.v_col0 + head * HEAD_DIM) / 4u + own_quad;
  let upper = min(own_quad + 16u, QUADS - 2u) - own_quad;
  // Blocks 0-3 of queries; where WIDE, blocks 0-1 with the lower columns, then blocks 0-1 with the upper ones.
  var a0: Eight; var b0: Eight;
  var a1: Eight; var b1: Eight;
  var a2: Eight; var b2: Eight;
  var a3: Eight; var b3: Eight;
  var total = vec4f();
  var base = vec4f(HIDDEN); // weights are 2^(score - base)
  var largest = vec4f(HIDDEN);
  var key = 0u;
  while (key < end) {
    let keep = exp2(base - largest);
    base = largest;
    total *= keep;
    let keep2 = select(keep.z, keep.x, WIDE);
    let keep3 = select(keep.w, keep.y, WIDE);
    rescale(&a0, keep.x, team); rescale(&b0, keep.x, team);
    rescale(&a1, keep.y, team); rescale(&b1, keep.y, team);
    rescale(&a2, keep2, team); rescale(&b2, keep2, team);
    rescale(&a3, keep3, team); rescale(&b3, keep3, team);
    while (key < end) {
      // Two keys at a time: lanes 0-3 fetch the first, lanes 4-7 the second.
      let k_row = (kv_row + min(key + lane / 4u, end - 1u)) * kv_stride + k_at;
      var s0 = vec4f(); // scores of the first key, by block
      var s1 = vec4f();
      score_16(0u, k[k_row + min(lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team);
      if (QUADS > 4u) { score_16(4u, k[k_row + min(4u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      if (QUADS > 8u) { score_16(8u, k[k_row + min(8u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      if (QUADS > 12u) { score_16(12u, k[k_row + min(12u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      if (QUADS > 16u) { score_16(16u, k[k_row + min(16u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      if (QUADS > 20u) { score_16(20u, k[k_row + min(20u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      if (QUADS > 24u) { score_16(24u, k[k_row + min(24u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      if (QUADS > 28u) { score_16(28u, k[k_row + min(28u + lane % 4u, QUADS - 1u)], &q_own, &s0, &s1, team); }
      s0 = select(vec4f(HIDDEN), s0, vec4u(key) < seen);
      s1 = select(vec4f(HIDDEN), s1, vec4u(key + 1u) < seen);
      largest = max(largest, max(s0, s1));
      // Raising the base touches all sums: it waits until a weight would grow large. The keys are then scored again.
      if (subgroupAny(any(largest > base + ROOM))) {
        break;
      }
      let w0 = exp2(s0 - base);
      let w1 = exp2(s1 - base);
      total += w0 + w1;
      let v0 = (kv_row + key) * kv_stride + v_at;
      let v1 = (kv_row + min(key + 1u, end - 1u)) * kv_stride + v_at;
      let lower_a0 = v[v0]; let lower_b0 = v[v0 + 1u];
      let lower_a1 = v[v1]; let lower_b1 = v[v1 + 1u];
      add_values(&a0, vec2f(w0.x, w1.x), lower_a0, lower_a1, team);
      add_values(&b0, vec2f(w0.x, w1.x), lower_b0, lower_b1, team);
      add_values(&a1, vec2f(w0.y, w1.y), lower_a0, lower_a1, team);
      add_values(&b1, vec2f(w0.y, w1.y), lower_b0, lower_b1, team);
      if (WIDE) {
        let upper_a0 = v[v0 + upper]; let upper_b0 = v[v0 + upper + 1u];
        let upper_a1 = v[v1 + upper]; let upper_b1 = v[v1 + upper + 1u];
        add_values(&a2, vec2f(w0.x, w1.x), upper_a0, upper_a1, team);
        add_values(&b2, vec2f(w0.x, w1.x), upper_b0, upper_b1, team);
        add_values(&a3, vec2f(w0.y, w1.y), upper_a0, upper_a1, team);
        add_values(&b3, vec2f(w0.y, w1.y), upper_b0, upper_b1, team);
      } else {
        add_values(&a2, vec2f(w0.z, w1.z), lower_a0, lower_a1, team);
        add_values(&b2, vec2f(w0.z, w1.z), lower_b0, lower_b1, team);
        add_values(&a3, vec2f(w0.w, w1.w), lower_a0, lower_a1, team);
        add_values(&b3, vec2f(w0.w, w1.w), lower_b0, lower_b1, team);
      }
      key += 2u;
    }
  }
  let all = array<Eight, 8>(a0, b0, a1, b1, a2, b2, a3, b3);
  // Loops that cannot unroll: 64 copies of a store are slow to compile.
  for (var i = 0u; i < min(ROWS, params.rows - row); i++) {
    let b = i / 8u;
    let sum = subgroupShuffle(total[b], team + i % 8u);
    let to = (group_row + row + i) * (params.o_stride / 4u) + head * QUADS;
    for (var quad = 2u * lane; quad < QUADS && own_head < params.heads; quad += 16u) {
      let at = 2u * b + 4u * (quad / 16u);
      o[to + quad] = all[at][i % 8u] / sum;
      o[to + quad + 1u] = all[at + 1u][i % 8u] / sum;
    }
  }
}
