// Sums over a workgroup of 256 threads without subgroups: sixteen threads gather sixteen each, then everyone reads the
// sixteen results. Two barriers; a second call may follow at once, its first barrier separates the two.
var<workgroup> all_sums: array<vec4f, 256>;
var<workgroup> part_sums: array<vec4f, 16>;

fn row_sum4(x: vec4f, thread: u32) -> vec4f {
  all_sums[thread] = x;
  workgroupBarrier();
  if (thread < 16u) {
    var part = vec4f();
    for (var i = 0u; i < 16u; i++) {
      part += all_sums[16u * i + thread];
    }
    part_sums[thread] = part;
  }
  workgroupBarrier();
  var sum = vec4f();
  for (var i = 0u; i < 16u; i++) {
    sum += part_sums[i];
  }
  return sum;
}
