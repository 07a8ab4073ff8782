// Reads 64 KiB a workgroup and adds the words up, so that no read can be left out.
struct Params {
  wrap: u32,
}

@group(0) @binding(0) var<storage, read> words: array<Word>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
var<immediate> params: Params;

fn four(at: u32, step: u32) -> Word {
  return words[at] + words[at + step] + words[at + 2u * step] + words[at + 3u * step];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let step = step_of(params.wrap);
  var at = first_of(workgroup.x % params.wrap, thread);
  var sum = Word();
  for (var i = 0u; i < PER_THREAD; i += AT_ONCE) {
    if (AT_ONCE == 16u) {
      sum += four(at, step) + four(at + 4u * step, step) + four(at + 8u * step, step) + four(at + 12u * step, step);
    } else {
      sum += four(at, step);
    }
    at += AT_ONCE * step;
  }
  sums[(THREADS * workgroup.x) % 65536u + thread] = total(sum);
}
