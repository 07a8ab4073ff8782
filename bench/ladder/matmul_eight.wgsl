// Eight columns of ROWS rows a thread: one wide load of weights serves 8 * ROWS products.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let groups = params.cols / 8u;
  if (id.x >= groups) {
    return;
  }
  let row = id.y * ROWS;
  let column = column_at(0u, id.x, groups, params.k);
  var lo: array<vec4f, ROWS>;
  var hi: array<vec4f, ROWS>;
  for (var k = 0u; k < params.k; k++) {
    let w = weight_row(column, k);
    for (var i = 0u; i < ROWS; i++) {
      let x = vec4f(a[min(row + i, params.rows - 1u) * params.a_stride + k]);
      lo[i] = fma(x, w.lo, lo[i]);
      hi[i] = fma(x, w.hi, hi[i]);
    }
  }
  for (var i = 0u; i < ROWS; i++) {
    if (row + i < params.rows) {
      let at = (row + i) * (params.c_stride / 4u) + 2u * id.x;
      c[at] = lo[i];
      c[at + 1u] = hi[i];
    }
  }
}
