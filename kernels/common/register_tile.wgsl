// A tile of TILE_ROWS x TILE_COLS outputs a workgroup of 16 x DOWN, its sums in registers: ROWS_EACH rows x QUADS_EACH fours
// of columns a thread. Slices of 16 along k are staged in workgroup memory, the next one fetched into registers meanwhile.
// PACKED: weights of 16 bits are staged as they are stored. A kernel brings Place, row_start(place, row of the tile) and
// finish(place, row of the tile, four of columns of the tile, sum).
const THREADS = 16u * DOWN;
const SLICE = 16u;
const EIGHTS = TILE_COLS / 8u;
const ROWS_EACH = TILE_ROWS / DOWN;
const QUADS_EACH = TILE_COLS / 64u;
const A_ALL = TILE_ROWS * SLICE / 4u;
const A_EACH = (A_ALL + THREADS - 1u) / THREADS;
const W_EACH = SLICE * EIGHTS / THREADS;
const W_WORDS = select(2u, 1u, PACKED); // of four, an eight of weights
const NO_ROW = 0xffffffffu;

alias Sums = array<vec4f, ROWS_EACH * QUADS_EACH>;

struct Ahead {
  a: array<vec4f, A_EACH>,
  w: array<vec4u, W_EACH * W_WORDS>,
}

var<workgroup> a_tile: array<vec4f, A_ALL>; // [TILE_ROWS][4]
var<workgroup> w_tile: array<vec4u, SLICE * EIGHTS * W_WORDS>;

fn fetch(thread: u32, k0: u32, starts: ptr<function, array<u32, A_EACH>>, w0: u32, group0: u32) -> Ahead {
  var ahead: Ahead;
  let a_k = k0 + 4u * (thread % 4u);
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
      let i = column.first + w_k * column.step;
      if (PACKED) {
        ahead.w[j] = weights[i];
      } else {
        let w = weight8(i);
        ahead.w[j * W_WORDS] = bitcast<vec4u>(w.lo);
        ahead.w[j * W_WORDS + W_WORDS - 1u] = bitcast<vec4u>(w.hi);
      }
    }
  }
  return ahead;
}

// A thread's fours of columns: neighbours read neighbouring words of w_tile.
fn own_quad(tx: u32, j: u32) -> u32 {
  return select(tx + 16u * j, QUADS_EACH * tx + j, PACKED);
}

// w0: where the matrix begins, in eights; group0: the tile's first eight of columns.
fn multiply(thread: u32, place: Place, w0: u32, group0: u32, sums: ptr<function, Sums>) {
  let ty = thread / 16u;
  let tx = thread % 16u;
  var starts: array<u32, A_EACH>;
  for (var j = 0u; j < A_EACH; j++) {
    starts[j] = NO_ROW;
    if (thread + j * THREADS < A_ALL) {
      starts[j] = row_start(place, (thread + j * THREADS) / 4u);
    }
  }
  var ahead = fetch(thread, 0u, &starts, w0, group0);
  for (var k0 = 0u; k0 < params.k; k0 += SLICE) {
    for (var j = 0u; j < A_EACH; j++) {
      if (thread + j * THREADS < A_ALL) {
        a_tile[thread + j * THREADS] = ahead.a[j];
      }
    }
    for (var j = 0u; j < W_EACH * W_WORDS; j++) {
      w_tile[(thread + j / W_WORDS * THREADS) * W_WORDS + j % W_WORDS] = ahead.w[j];
    }
    workgroupBarrier();
    ahead = fetch(thread, k0 + SLICE, &starts, w0, group0);
    for (var k = 0u; k < SLICE / 4u; k++) {
      var w: array<vec4f, 4u * QUADS_EACH>;
      for (var i = 0u; i < 4u; i++) {
        if (PACKED) {
          let eight = decode8(w_tile[(4u * k + i) * EIGHTS + tx]);
          w[i * QUADS_EACH] = eight.lo;
          w[i * QUADS_EACH + QUADS_EACH - 1u] = eight.hi;
        } else {
          for (var j = 0u; j < QUADS_EACH; j++) {
            w[i * QUADS_EACH + j] = bitcast<vec4f>(w_tile[(4u * k + i) * 2u * EIGHTS + own_quad(tx, j)]);
          }
        }
      }
      for (var i = 0u; i < ROWS_EACH; i++) {
        let x = a_tile[(ty * ROWS_EACH + i) * 4u + k];
        for (var j = 0u; j < QUADS_EACH; j++) {
          let before = (*sums)[i * QUADS_EACH + j];
          let two = fma(vec4f(x.y), w[QUADS_EACH + j], fma(vec4f(x.x), w[j], before));
          (*sums)[i * QUADS_EACH + j] = fma(vec4f(x.w), w[3u * QUADS_EACH + j], fma(vec4f(x.z), w[2u * QUADS_EACH + j], two));
        }
      }
    }
    workgroupBarrier();
  }
}

fn finish_tile(thread: u32, place: Place, sums: ptr<function, Sums>) {
  for (var i = 0u; i < ROWS_EACH; i++) {
    for (var j = 0u; j < QUADS_EACH; j++) {
      finish(place, thread / 16u * ROWS_EACH + i, own_quad(thread % 16u, j), (*sums)[i * QUADS_EACH + j]);
    }
  }
}
