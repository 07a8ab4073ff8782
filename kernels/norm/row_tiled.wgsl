// Reductions over a workgroup of 256 threads without subgroups; sums are in row_sums.wgsl, and this is done alike.
const THREADS = 256u;

var<workgroup> all_maxima: array<u32, 256>;
var<workgroup> part_maxima: array<u32, 16>;

fn row_max(x: u32, thread: u32) -> u32 {
  all_maxima[thread] = x;
  workgroupBarrier();
  if (thread < 16u) {
    var part = 0u;
    for (var i = 0u; i < 16u; i++) {
      part = max(part, all_maxima[16u * i + thread]);
    }
    part_maxima[thread] = part;
  }
  workgroupBarrier();
  var largest = 0u;
  for (var i = 0u; i < 16u; i++) {
    largest = max(largest, part_maxima[i]);
  }
  return largest;
}
