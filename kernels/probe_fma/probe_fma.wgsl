// `rounds` x 4 fused multiply-adds on each of a thread's eight chains of four, in registers. Eight chains hide the latency
// of one. With factor and term 1 a chain counts its own steps, so the result proves that every step ran; as parameters
// the two cannot be folded away.
struct Params {
  rounds: u32,
  factor: f32,
  term: f32,
}

@group(0) @binding(0) var<storage, read_write> counts: array<f32>;
var<immediate> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let f = Value4(Value(params.factor));
  let t = Value4(Value(params.term));
  var c0 = Value4();
  var c1 = Value4();
  var c2 = Value4();
  var c3 = Value4();
  var c4 = Value4();
  var c5 = Value4();
  var c6 = Value4();
  var c7 = Value4();
  // Four steps between the loop's writes: one step would pay for the loop, and sixteen are ordered chain by chain on
  // software adapters, which then wait for each result (half the rate).
  for (var round = 0u; round < params.rounds; round++) {
    c0 = fma(fma(fma(fma(c0, f, t), f, t), f, t), f, t);
    c1 = fma(fma(fma(fma(c1, f, t), f, t), f, t), f, t);
    c2 = fma(fma(fma(fma(c2, f, t), f, t), f, t), f, t);
    c3 = fma(fma(fma(fma(c3, f, t), f, t), f, t), f, t);
    c4 = fma(fma(fma(fma(c4, f, t), f, t), f, t), f, t);
    c5 = fma(fma(fma(fma(c5, f, t), f, t), f, t), f, t);
    c6 = fma(fma(fma(fma(c6, f, t), f, t), f, t), f, t);
    c7 = fma(fma(fma(fma(c7, f, t), f, t), f, t), f, t);
  }
  let sum = vec4f(c0) + vec4f(c1) + vec4f(c2) + vec4f(c3) + vec4f(c4) + vec4f(c5) + vec4f(c6) + vec4f(c7);
  counts[64u * (workgroup.x % 1024u) + thread] = dot(sum, vec4f(1.0));
}
