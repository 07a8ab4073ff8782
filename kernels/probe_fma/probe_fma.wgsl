// `rounds` x 4 fused multiply-adds on each of a thread's chains, in registers; several hide the latency of one. With
// factor and term 1 a chain counts its own steps, so the result proves that every step ran; as parameters the two cannot
// be folded away. A line with c0 stands once for every chain.
struct Params {
  rounds: u32,
  factor: f32,
  term: f32,
}

@group(0) @binding(0) var<storage, read_write> counts: array<f32>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let f = Value(Scalar(params.factor));
  let t = Value(Scalar(params.term));
  var c0 = Value();
  // Four steps between the loop's writes: one step would pay for the loop, and more are ordered chain by chain on
  // software adapters, which then wait for each result.
  for (var round = 0u; round < params.rounds; round++) {
    c0 = fma(fma(fma(fma(c0, f, t), f, t), f, t), f, t);
  }
  var sum = 0.0;
  sum += total(c0);
  counts[(THREADS * workgroup.x) % 65536u + thread] = sum;
}
