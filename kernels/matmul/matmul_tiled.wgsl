// 64 x 64 outputs a workgroup of 16 x 16, 4 x 4 a thread; slices of 16 along k are staged in workgroup memory.
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

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
var<immediate> params: Params;

var<workgroup> a_tile: array<vec4f, 256>; // [64 rows][16 k] as [64][4]
var<workgroup> w_tile: array<vec4f, 256>; // [16 k][64 cols] as [16][16]

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let groups = (params.cols + 7u) / 8u;
  let row0 = workgroup.y * 64u;
  let group0 = workgroup.x * 8u;
  let ty = thread / 16u;
  let tx = thread % 16u;
  var sum: array<vec4f, 4>; // rows ty*4 .. +3, columns tx*4 .. +3
  for (var k0 = 0u; k0 < params.k; k0 += 16u) {
    let a_row = row0 + thread / 4u;
    let a_k = k0 + (thread % 4u) * 4u;
    var x = vec4f();
    if (a_row < params.rows && a_k < params.k) {
      x = a[(params.a_row0 + a_row) * (params.a_stride / 4u) + a_k / 4u];
    }
    a_tile[thread] = x;
    if (thread < 128u) {
      let w_k = k0 + thread / 8u;
      let group = group0 + thread % 8u;
      var w = Eight(vec4f(), vec4f());
      if (w_k < params.k && group < groups) {
        w = weight_row(column_at(0u, group, groups, matrix_lines(params.k)), w_k);
      }
      w_tile[2u * thread] = w.lo;
      w_tile[2u * thread + 1u] = w.hi;
    }
    workgroupBarrier();
    for (var k = 0u; k < 4u; k++) {
      let w0 = w_tile[(4u * k) * 16u + tx];
      let w1 = w_tile[(4u * k + 1u) * 16u + tx];
      let w2 = w_tile[(4u * k + 2u) * 16u + tx];
      let w3 = w_tile[(4u * k + 3u) * 16u + tx];
      for (var i = 0u; i < 4u; i++) {
        let v = a_tile[(ty * 4u + i) * 4u + k];
        sum[i] = fma(vec4f(v.w), w3, fma(vec4f(v.z), w2, fma(vec4f(v.y), w1, fma(vec4f(v.x), w0, sum[i]))));
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = row0 + ty * 4u + i;
    let quad = group0 * 2u + tx;
    if (row < params.rows && quad < 2u * groups) {
      finish4(params.c_row0 + row, quad, sum[i]);
    }
  }
}
