// Writes 64 KiB a workgroup, neighbouring threads at neighbouring words.
struct Params {
  wrap: u32,
  value: u32,
}

@group(0) @binding(0) var<storage, read_write> words: array<vec4u>;
var<immediate> params: Params;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  var at = (workgroup.x % params.wrap) * 4096u + thread;
  let value = vec4u(params.value);
  for (var i = 0u; i < 4096u; i += 4u * THREADS) {
    words[at] = value;
    words[at + THREADS] = value;
    words[at + 2u * THREADS] = value;
    words[at + 3u * THREADS] = value;
    at += 4u * THREADS;
  }
}
