// One subgroup computes ROWS (16 or 8) rows x (8 columns a lane). Lanes own columns; `a` is read once for eight rows by one gather (a
// lane a row) and handed round, which software adapters do for nearly nothing. Two steps along k a turn: the loop must
// fit into what a core keeps of decoded instructions (more rows or four steps run at seven tenths of the speed). Loops of
// eight unroll, which keeps their arrays in registers.
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
  let lane = local.x % TEAM;
  let r0 = (params.a_row0 + min(row + lane, last)) * (params.a_stride / 2u);
  let r1 = (params.a_row0 + min(row + TEAM + lane, last)) * (params.a_stride / 2u);
  var lo0: Sums; var hi0: Sums;
  var lo1: Sums; var hi1: Sums;
  add_all(r0, r1, g, groups, params.k / 2u, &lo0, &hi0, &lo1, &hi1);
  if (group >= groups) {
    return;
  }
  let all = array<Sums, 4>(lo0, hi0, lo1, hi1);
  // A loop that cannot unroll: 32 copies of the epilogue take seconds to compile.
  for (var i = 0u; i < min(ROWS, params.rows - row); i++) {
    let at = 2u * (i / TEAM);
    finish4(params.c_row0 + row + i, 2u * group, all[at][i % TEAM]);
    finish4(params.c_row0 + row + i, 2u * group + 1u, all[at + 1u][i % TEAM]);
  }
}
