// In which order the threads of the grid go through the words.
const PER_THREAD = 16384u / (WIDTH * THREADS); // words of a thread: 64 KiB a workgroup
const BESIDE = 0u; // neighbouring threads at neighbouring words of their workgroup's stretch
const OWN = 1u; // every thread through a stretch of its own
const GRID = 2u; // all workgroups side by side, then all of them further on

fn first_of(unit: u32, thread: u32) -> u32 {
  if (ORDER == GRID) { return unit * THREADS + thread; }
  return unit * PER_THREAD * THREADS + thread * select(1u, PER_THREAD, ORDER == OWN);
}

fn step_of(units: u32) -> u32 {
  if (ORDER == GRID) { return units * THREADS; }
  return select(THREADS, 1u, ORDER == OWN);
}
