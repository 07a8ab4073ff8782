// Eight columns a thread of x * W, for workgroups of 256 = EIGHTS column-eights x SLICES slices along k: neighbouring
// threads read neighbouring columns, and the slices of a column are added up in workgroup memory.
const SLICES = 256u / EIGHTS;

var<workgroup> parts: array<Eight, 256>;

// `x0`: first word of the row in `a`; `w0`: first eight of this thread's column; `groups`: eights a weight row; `quads`: k / 4.
fn slice_sum(x0: u32, w0: u32, groups: u32, quads: u32, slice: u32) -> Eight {
  var lo = vec4f();
  var hi = vec4f();
  for (var q = slice; q < quads; q += SLICES) {
    let x = a[x0 + q];
    let at = w0 + 4u * q * groups;
    let r0 = weight8(at);
    let r1 = weight8(at + groups);
    let r2 = weight8(at + 2u * groups);
    let r3 = weight8(at + 3u * groups);
    lo = fma(vec4f(x.w), r3.lo, fma(vec4f(x.z), r2.lo, fma(vec4f(x.y), r1.lo, fma(vec4f(x.x), r0.lo, lo))));
    hi = fma(vec4f(x.w), r3.hi, fma(vec4f(x.z), r2.hi, fma(vec4f(x.y), r1.hi, fma(vec4f(x.x), r0.hi, hi))));
  }
  return Eight(lo, hi);
}

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
