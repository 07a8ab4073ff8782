// One subgroup computes ROWS rows x (8 columns a lane). Lanes own columns; `a` is read once for TEAM rows by one gather (a
// lane a row) and handed round, which software adapters do for nearly nothing. Two steps along k a turn: with four, their
// weights no longer fit the registers. Loops over a team or its blocks unroll, which keeps their arrays in registers.
struct Params {
  rows: u32,
  k: u32,
  cols: u32,
  a_stride: u32,
  c_stride: u32,
  col0: u32,
  a_row0: u32,
  c_row0: u32,
  epilogue: u32,
}

@group(0) @binding(0) var<storage, read> a: array<vec2f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = (params.cols + 7u) / 8u;
  let group = workgroup.x * LANES + local.x;
  let g = min(group, groups - 1u); // surplus lanes repeat the last group and store nothing
  let row = workgroup.y * ROWS;
  let last = params.rows - 1u;
  var starts: Starts;
  for (var b = 0u; b < BLOCKS; b++) {
    starts[b] = (params.a_row0 + min(row + b * TEAM + local.x % TEAM, last)) * (params.a_stride / 2u);
  }
  var sums: Blocks;
  add_all(starts, column_at(0u, g, groups, matrix_lines(params.k)), params.k / 2u, BLOCKS, &sums);
  if (group >= groups) {
    return;
  }
  let all = sums;
  let bias_lo = bias4(2u * group);
  let bias_hi = bias4(2u * group + 1u);
  // A loop that cannot unroll: so many copies of the epilogue take seconds to compile.
  for (var i = 0u; i < min(ROWS, params.rows - row); i++) {
    finish_biased(params.c_row0 + row + i, 2u * group, all[i / TEAM][i % TEAM] + bias_lo);
    finish_biased(params.c_row0 + row + i, 2u * group + 1u, all[i / TEAM][TEAM + i % TEAM] + bias_hi);
  }
}
