// 64 queries of one head a workgroup of 16 x 8: a thread owns 4 queries x 4 keys of a tile of scores, then 4 queries x
// 4 columns in every slice of 32 columns. Slices of q, k and v are staged in workgroup memory, and so are the weights.
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
const SLICES = (QUADS + 7u) / 8u;
const PITCH = 9u; // eight fours a row, and one unused so that neighbouring rows lie in different banks
const LOG2_E = 1.4426950408889634;
const HIDDEN = -1e30; // the score of a key that its query may not see: finite, so that no difference is NaN

var<workgroup> q_tile: array<vec4f, 576>; // [64 queries][32 columns], after scoring [64 queries][32 weights]
var<workgroup> kv_tile: array<vec4f, 288>; // [32 keys][32 columns] of k, then of v
var<workgroup> shared_row: array<f32, 512>; // [64 queries][8 threads]: maxima, at last sums

@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let row0 = workgroup.x * 64u;
  let head_col = workgroup.y * HEAD_DIM;
  let group_row = params.q_row0 + workgroup.z * params.rows;
  let kv_row = params.k_row0 + workgroup.z * params.keys;
  let ty = thread / 8u; // owns queries row0 + ty, + 16, + 32, + 48
  let tx = thread % 8u;
  var end = params.keys; // keys that some query of the tile sees
  if (CAUSAL) {
    end = params.first_position + min(row0 + 64u, params.rows);
  }
  var sums: array<vec4f, 4u * SLICES>;
  var total: array<f32, 4>; // of the thread's own keys
  var largest = array<f32, 4>(HIDDEN, HIDDEN, HIDDEN, HIDDEN);
  for (var key0 = 0u; key0 < end; key0 += 32u) {
    var s = array<vec4f, 4>();
    for (var slice = 0u; slice < SLICES; slice++) {
      let quad = 8u * slice + tx;
      workgroupBarrier();
      for (var i = ty; i < 64u; i += 16u) {
        let row = group_row + min(row0 + i, params.rows - 1u);
        var x = vec4f();
        if (quad < QUADS) {
          x = q[(row * params.q_stride + params.q_col0 + head_col) / 4u + quad];
        }
        q_tile[i * PITCH + tx] = x;
      }
      for (var i = ty; i < 32u; i += 16u) {
        let row = kv_row + min(key0 + i, end - 1u);
        var x = vec4f();
        if (quad < QUADS) {
          x = k[(row * params.kv_stride + params.k_col0 + head_col) / 4u + quad];
        }
        kv_tile[((i % 4u) * 8u + i / 4u) * PITCH + tx] = x; // a thread's four keys lie eight rows apart
      }
      workgroupBarrier();
      for (var d = 0u; d < 8u; d++) {
        let k0 = kv_tile[tx * PITCH + d];
        let k1 = kv_tile[(8u + tx) * PITCH + d];
        let k2 = kv_tile[(16u + tx) * PITCH + d];
        let k3 = kv_tile[(24u + tx) * PITCH + d];
        for (var i = 0u; i < 4u; i++) {
          let x = q_tile[(ty + 16u * i) * PITCH + d];
          s[i] += vec4f(dot(x, k0), dot(x, k1), dot(x, k2), dot(x, k3));
        }
      }
    }
    for (var i = 0u; i < 4u; i++) {
      var seen = params.keys;
      if (CAUSAL) {
        seen = params.first_position + row0 + ty + 16u * i + 1u;
      }
      let visible = vec4u(key0 + 4u * tx) + vec4u(0, 1, 2, 3) < vec4u(seen);
      s[i] = select(vec4f(HIDDEN), s[i] * (params.scale * LOG2_E), visible);
      shared_row[(ty + 16u * i) * 8u + tx] = max(max(s[i].x, s[i].y), max(s[i].z, s[i].w));
    }
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      let row = ty + 16u * i;
      var now = largest[i];
      for (var n = 0u; n < 8u; n++) {
        now = max(now, shared_row[row * 8u + n]);
      }
      let keep = exp2(largest[i] - now);
      largest[i] = now;
      let weights = exp2(s[i] - now);
      q_tile[row * PITCH + tx] = weights;
      total[i] = total[i] * keep + dot(weights, vec4f(1));
      for (var slice = 0u; slice < SLICES; slice++) {
        sums[4u * slice + i] *= keep;
      }
    }
    for (var slice = 0u; slice < SLICES; slice++) {
      let quad = 8u * slice + tx;
      workgroupBarrier();
      for (var i = ty; i < 32u; i += 16u) {
        let row = kv_row + min(key0 + i, end - 1u);
        var x = vec4f();
        if (quad < QUADS) {
          x = v[(row * params.kv_stride + params.v_col0 + head_col) / 4u + quad];
        }
        kv_tile[i * PITCH + tx] = x;
      }
      workgroupBarrier();
      for (var n = 0u; n < 8u; n++) {
        let v0 = kv_tile[(4u * n) * PITCH + tx];
        let v1 = kv_tile[(4u * n + 1u) * PITCH + tx];
        let v2 = kv_tile[(4u * n + 2u) * PITCH + tx];
        let v3 = kv_tile[(4u * n + 3u) * PITCH + tx];
        for (var i = 0u; i < 4u; i++) {
          let w = q_tile[(ty + 16u * i) * PITCH + n];
          let at = 4u * slice + i;
          sums[at] = fma(vec4f(w.w), v3, fma(vec4f(w.z), v2, fma(vec4f(w.y), v1, fma(vec4f(w.x), v0, sums[at]))));
        }
      }
    }
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    shared_row[(ty + 16u * i) * 8u + tx] = total[i];
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + ty + 16u * i;
    var sum = 0.0;
    for (var n = 0u; n < 8u; n++) {
      sum += shared_row[(ty + 16u * i) * 8u + n];
    }
    for (var slice = 0u; slice < SLICES; slice++) {
      let quad = 8u * slice + tx;
      if (row < params.rows && quad < QUADS) {
        o[((group_row + row) * params.o_stride + head_col) / 4u + quad] = sums[4u * slice + i] / sum;
      }
    }
  }
}
