// A workgroup an expert. 1024 slots at a time: threads set one bit for each slot that chose the expert, and a slot's
// place is the number of bits before it, so the order never depends on timing.
struct Params {
  rows: u32,
  k: u32,
  experts: u32,
  slot0: u32,
}

@group(0) @binding(0) var<storage, read> experts: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> lists: array<u32>;
var<immediate> params: Params;

const WORDS = 32u; // of 32 bits: 1024 slots

var<workgroup> chosen: array<atomic<u32>, WORDS>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let expert = workgroup.x;
  let slots = params.rows * params.k;
  var count = 0u;
  for (var slot0 = 0u; slot0 < slots; slot0 += 1024u) {
    if (thread < WORDS) {
      atomicStore(&chosen[thread], 0u);
    }
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      let offset = 256u * i + thread;
      let slot = slot0 + offset;
      if (slot < slots && experts[params.slot0 + slot] == expert) {
        atomicOr(&chosen[offset / 32u], 1u << (offset % 32u));
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
      var place = count;
      for (var w = 0u; w < 8u; w++) {
        let bits = countOneBits(atomicLoad(&chosen[8u * i + w]));
        place += select(0u, bits, w < thread / 32u);
        count += bits;
      }
      let word = atomicLoad(&chosen[8u * i + thread / 32u]);
      let bit = 1u << (thread % 32u);
      place += countOneBits(word & (bit - 1u));
      if ((word & bit) != 0u && place < params.rows) {
        lists[expert * params.rows + place] = slot0 + 256u * i + thread;
      }
    }
    workgroupBarrier();
  }
  if (thread == 0u) {
    counts[expert] = min(count, params.rows);
  }
}
