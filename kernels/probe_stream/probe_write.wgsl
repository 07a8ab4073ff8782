// Writes 64 KiB a workgroup.
struct Params {
  wrap: u32,
  value: u32,
}

@group(0) @binding(0) var<storage, read_write> words: array<Word>;
var<immediate> params: Params;

fn four(at: u32, step: u32, value: Word) {
  words[at] = value;
  words[at + step] = value;
  words[at + 2u * step] = value;
  words[at + 3u * step] = value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) thread: u32) {
  let step = step_of(params.wrap);
  let value = Word(params.value);
  var at = first_of(workgroup.x % params.wrap, thread);
  for (var i = 0u; i < PER_THREAD; i += AT_ONCE) {
    four(at, step, value);
    if (AT_ONCE == 16u) {
      four(at + 4u * step, step, value);
      four(at + 8u * step, step, value);
      four(at + 12u * step, step, value);
    }
    at += AT_ONCE * step;
  }
}
