// Reads 64 KiB a workgroup, neighbouring threads at neighbouring words, and adds them up so that no read can be left out.
// THREADS is as many as a software adapter runs at once: more would take turns, each over all of the 64 KiB.
struct Params {
  wrap: u32,
}

@group(0) @binding(0) var<storage, read> words: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  var at = (workgroup.x % params.wrap) * 4096u + thread;
  var sum = vec4u();
  for (var i = 0u; i < 4096u; i += 4u * THREADS) {
    sum += words[at] + words[at + THREADS] + words[at + 2u * THREADS] + words[at + 3u * THREADS];
    at += 4u * THREADS;
  }
  sums[THREADS * (workgroup.x % 1024u) + thread] = sum.x + sum.y + sum.z + sum.w;
}
