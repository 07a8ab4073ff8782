// A tile of TILE_ROWS x TILE_COLS outputs a workgroup on matrix units: DOWN x ACROSS subgroups, each with a block of it.
// Slices of 32 along k are staged as f16, the next one fetched into registers meanwhile. A kernel brings Place,
// row_start(place, row of the tile) and finish(place, row of the tile, four of columns of the tile, sum).
const THREADS = SUBGROUP * DOWN * ACROSS;
const SLICE = 32u;
const QUADS = SLICE / 4u;
const EIGHTS = TILE_COLS / 8u;
const A_EACH = TILE_ROWS * QUADS / THREADS;
const W_EACH = SLICE * EIGHTS / THREADS;
const A_PITCH = QUADS + 2u; // two fours unused, so that neighbouring rows lie in different banks
const W_PITCH = TILE_COLS / 4u + 2u;
const W_AT = TILE_ROWS * A_PITCH;
const BLOCK_ROWS = TILE_ROWS / DOWN;
const BLOCK_COLS = TILE_COLS / ACROSS;
const M_EACH = BLOCK_ROWS / MATRIX_M;
const N_EACH = BLOCK_COLS / MATRIX_N;
const RESULT_QUADS = MATRIX_M * MATRIX_N / 4u;
const NO_ROW = 0xffffffffu;

alias Sums = array<Result, M_EACH * N_EACH>;

struct Halves {
  lo: Half4,
  hi: Half4,
}

struct Ahead {
  a: array<vec4f, A_EACH>,
  w: array<Halves, W_EACH>,
}

var<workgroup> stage: array<Half4, W_AT + SLICE * W_PITCH>;
var<workgroup> scratch: array<vec4f, DOWN * ACROSS * RESULT_QUADS>;

fn weight_halves(i: u32) -> Halves {
  if (WEIGHT_FORMAT == 1u) {
    let q = weights[i];
    return Halves(half4_of(q.xy), half4_of(q.zw));
  }
  let w = weight8(i);
  return Halves(half4(w.lo), half4(w.hi));
}

fn fetch(thread: u32, k0: u32, starts: ptr<function, array<u32, A_EACH>>, w0: u32, group0: u32) -> Ahead {
  var ahead: Ahead;
  let a_k = k0 + 4u * (thread % QUADS);
  for (var j = 0u; j < A_EACH; j++) {
    if ((*starts)[j] != NO_ROW && a_k < params.k) {
      ahead.a[j] = a[(*starts)[j] + a_k / 4u];
    }
  }
  let groups = (params.cols + 7u) / 8u;
  let group = group0 + thread % EIGHTS;
  let column = column_at(w0, group, groups, params.k);
  for (var j = 0u; j < W_EACH; j++) {
    let w_k = k0 + thread / EIGHTS + j * (THREADS / EIGHTS);
    if (w_k < params.k && group < groups) {
      ahead.w[j] = weight_halves(column.first + w_k * column.step);
    }
  }
  return ahead;
}

// w0: where the matrix begins, in eights; group0: the tile's first eight of columns.
fn multiply(thread: u32, place: Place, w0: u32, group0: u32, sums: ptr<function, Sums>) {
  let subgroup = subgroup_of(thread);
  let block_row = subgroup / ACROSS * BLOCK_ROWS;
  let block_quad = subgroup % ACROSS * (BLOCK_COLS / 4u);
  var starts: array<u32, A_EACH>;
  for (var j = 0u; j < A_EACH; j++) {
    starts[j] = row_start(place, thread / QUADS + j * (THREADS / QUADS));
  }
  var ahead = fetch(thread, 0u, &starts, w0, group0);
  for (var k0 = 0u; k0 < params.k; k0 += SLICE) {
    for (var j = 0u; j < A_EACH; j++) {
      let row = thread / QUADS + j * (THREADS / QUADS);
      stage[row * A_PITCH + thread % QUADS] = half4(ahead.a[j]);
    }
    for (var j = 0u; j < W_EACH; j++) {
      let at = W_AT + (thread / EIGHTS + j * (THREADS / EIGHTS)) * W_PITCH + 2u * (thread % EIGHTS);
      stage[at] = ahead.w[j].lo;
      stage[at + 1u] = ahead.w[j].hi;
    }
    workgroupBarrier();
    ahead = fetch(thread, k0 + SLICE, &starts, w0, group0);
    for (var k = 0u; k < SLICE; k += MATRIX_K) {
      var left: array<Left, M_EACH>;
      for (var i = 0u; i < M_EACH; i++) {
        left[i] = load_left((block_row + i * MATRIX_M) * A_PITCH + k / 4u, A_PITCH);
      }
      for (var j = 0u; j < N_EACH; j++) {
        let right = load_right(W_AT + k * W_PITCH + block_quad + j * (MATRIX_N / 4u), W_PITCH);
        for (var i = 0u; i < M_EACH; i++) {
          (*sums)[i * N_EACH + j] = multiply_add(left[i], right, (*sums)[i * N_EACH + j]);
        }
      }
    }
    workgroupBarrier();
  }
}

// Where a result's values lie in a subgroup is the driver's secret: they go through workgroup memory.
fn finish_tile(thread: u32, place: Place, sums: ptr<function, Sums>) {
  let subgroup = subgroup_of(thread);
  for (var i = 0u; i < M_EACH * N_EACH; i++) {
    store_result(subgroup * RESULT_QUADS, MATRIX_N / 4u, (*sums)[i]);
    workgroupBarrier();
    let row = subgroup / ACROSS * BLOCK_ROWS + i / N_EACH * MATRIX_M;
    let quad = (subgroup % ACROSS * BLOCK_COLS + i % N_EACH * MATRIX_N) / 4u;
    for (var q = thread % SUBGROUP; q < RESULT_QUADS; q += SUBGROUP) {
      finish(place, row + q / (MATRIX_N / 4u), quad + q % (MATRIX_N / 4u), scratch[subgroup * RESULT_QUADS + q]);
    }
    workgroupBarrier();
  }
}
