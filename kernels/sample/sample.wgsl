// One workgroup draws one token. Nothing is sorted: a kept set is a threshold on the logits' ordered keys plus an index
// where keys equal to it stop, both found by passes over the row. Sums run in a fixed order, so a draw repeats exactly.
struct Params {
  cols: u32,
  stride: u32,
  row: u32,
  token_at: u32,
  temperature: f32,
  top_p: f32,
  top_k: u32,
  seed: u32,
  step: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<vec4u>; // bits of f32
@group(0) @binding(1) var<storage, read_write> tokens: array<u32>;
var<immediate> params: Params;

// What a pass adds up over the kept tokens: 1 each, their unnormalised probability, or 1 for those at the threshold.
const COUNT = 0u;
const MASS = 1u;
const TIES = 2u;

// Stages.
const TOP_K = 0u;
const TOP_P = 1u;
const DRAW = 2u;

var<workgroup> partials: array<f32, THREADS>;
var<private> thread: u32;
var<private> peak_key: u32;
var<private> threshold = NO_KEY; // kept: keys above it, and keys equal to it at columns before tie_end
var<private> tie_end: u32;

fn pcg(v: u32) -> u32 {
  let s = v * 747796405u + 2891336453u;
  let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
  return (w >> 22u) ^ w;
}

fn columns4(quad: u32) -> vec4u {
  return 4u * quad + vec4u(0u, 1u, 2u, 3u);
}

fn keys4(quad: u32) -> vec4u {
  let bits = logits[params.row * (params.stride / 4u) + quad];
  return select(vec4u(NO_KEY), ordered4(bits), columns4(quad) < vec4u(params.cols));
}

fn mass_of(logit: vec4f) -> vec4f {
  return exp(max((logit - float_of(peak_key)) / params.temperature, vec4f(-200.0)));
}

fn values4(what: u32, quad: u32, keys: vec4u) -> vec4f {
  let tie = (keys == vec4u(threshold)) & (columns4(quad) < vec4u(tie_end));
  let above = keys > vec4u(threshold);
  if (what == MASS) {
    return select(vec4f(), mass_of(bitcast<vec4f>(logits[params.row * (params.stride / 4u) + quad])), above | tie);
  }
  return select(vec4f(), vec4f(1.0), tie | (above & vec4<bool>(what == COUNT)));
}

// Sums over the kept tokens whose key is at least least.x, least.y, ...
fn reach(what: u32, least: vec4u) -> vec4f {
  var sums = vec4f();
  for (var q = thread; q < (params.cols + 3u) / 4u; q += THREADS) {
    let keys = keys4(q);
    let values = values4(what, q, keys);
    sums += select(vec4f(), values.xxxx, keys.xxxx >= least);
    sums += select(vec4f(), values.yyyy, keys.yyyy >= least);
    sums += select(vec4f(), values.zzzz, keys.zzzz >= least);
    sums += select(vec4f(), values.wwww, keys.wwww >= least);
  }
  return row_sum4(sums, thread);
}

// The first column at which the running sum goes beyond `sum`: the row is cut into a chunk a thread, the chunk in which
// it happens is cut again, down to one column. Where rounding lets nothing go beyond, the last chunk that holds anything.
fn locate(what: u32, sum: f32) -> u32 {
  let quads = (params.cols + 3u) / 4u;
  var left = sum;
  var start = 0u; // in fours of columns until the last turn
  for (var size = quads; size > 0u;) {
    let chunk = (size + THREADS - 1u) / THREADS;
    var partial = 0.0;
    if (size > 1u) {
      let end = min(start + size, quads);
      for (var q = start + thread * chunk; q < min(start + (thread + 1u) * chunk, end); q++) {
        partial += dot(values4(what, q, keys4(q)), vec4f(1.0));
      }
    } else if (thread < 4u) {
      partial = values4(what, start, keys4(start))[thread];
    }
    partials[thread] = partial;
    workgroupBarrier();
    var chosen = 0u;
    var rest = left;
    for (var t = 0u; t < THREADS; t++) {
      let part = partials[t];
      if (part > 0.0) {
        chosen = t;
        left = rest;
        if (part > rest) {
          break;
        }
        rest -= part;
      }
    }
    workgroupBarrier();
    start = select(start + chosen * chunk, 4u * start + chosen, size == 1u);
    size = select(chunk, 0u, size == 1u);
  }
  return start;
}

// What the sums over the kept tokens are to reach, or for the draw to go beyond.
fn goal(stage: u32, total: f32) -> f32 {
  if (stage == TOP_K) {
    return f32(params.top_k);
  }
  if (stage == TOP_P) {
    return max(params.top_p, 1e-6) * total;
  }
  return f32(pcg(pcg(params.step) + params.seed) >> 8u) * 0x1p-24 * total;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) index: u32) {
  thread = index;
  tie_end = params.cols;
  var keys = vec4u(NO_KEY);
  for (var q = thread; q < (params.cols + 3u) / 4u; q += THREADS) {
    keys = max(keys, keys4(q));
  }
  peak_key = row_max(max(max(keys.x, keys.y), max(keys.z, keys.w)), thread);

  // The three stages share one text, which is long to compile: every barrier of it counts.
  var column = 0u;
  for (var stage = TOP_K; stage <= DRAW; stage++) {
    let off_k = stage == TOP_K && (params.top_k == 0u || params.top_k >= params.cols);
    if (off_k || (stage == TOP_P && params.top_p >= 1.0)) {
      continue;
    }
    let what = select(MASS, COUNT, stage == TOP_K);
    var low = threshold; // the sum of keys from here on reaches the target
    var high = peak_key + 1u; // from here on it does not
    var target_sum = 0.0;
    var above = 0.0;
    // Pass 0 takes the total; 14 passes find the threshold, since 5^14 > 2^32; the last one what lies above it.
    for (var turn = 0u; turn < select(16u, 1u, stage == DRAW); turn++) {
      let step = (high - low + 4u) / 5u;
      let sums = reach(what, select(low + step * vec4u(1u, 2u, 3u, 4u), vec4u(), vec4<bool>(turn == 0u)));
      if (turn == 0u) {
        target_sum = goal(stage, sums.x);
      } else {
        let steps = dot(select(vec4u(), vec4u(1u), sums >= vec4f(target_sum)), vec4u(1u));
        high = min(high, low + step * (steps + 1u));
        low += step * steps;
        above = sums.x;
      }
    }
    if (stage != DRAW) {
      let each = select(1.0, mass_of(vec4f(float_of(low))).x, what == MASS);
      target_sum = max(ceil((target_sum - above) / each), 1.0) - 1.0; // so many ties, less one, precede the last kept
      tie_end = select(params.cols, tie_end, low == threshold);
      threshold = low;
    }
    column = locate(select(TIES, MASS, stage == DRAW), target_sum);
    if (stage != DRAW) {
      tie_end = column + 1u;
    }
  }
  if (thread == 0u) {
    let finite = peak_key > NEGATIVE_INFINITY_KEY && peak_key < INFINITY_KEY;
    tokens[params.token_at] = select(0xffffffffu, column, finite);
  }
}
