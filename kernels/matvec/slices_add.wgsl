// Eight columns a thread of x * W, for workgroups of 256 = EIGHTS column-eights x SLICES slices along k: neighbouring
// threads read neighbouring columns, and the slices of a column are added up in workgroup memory.
const SLICES = 256u / EIGHTS;

var<workgroup> parts: array<Eight, 256>;

// Adds the slices of every column; threads below EIGHTS get the whole sum.
fn add_slices(thread: u32, part: Eight) -> Eight {
  workgroupBarrier(); // an earlier sum has been read
  parts[thread] = part;
  for (var half = 128u; half >= EIGHTS; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      parts[thread].lo += parts[thread + half].lo;
      parts[thread].hi += parts[thread + half].hi;
    }
  }
  return parts[thread];
}
