// Reductions over a workgroup that is one subgroup.
const THREADS = LANES;

fn row_sum4(x: vec4f, thread: u32) -> vec4f {
  return subgroupAdd(x);
}

fn row_max(x: u32, thread: u32) -> u32 {
  return subgroupMax(x);
}
