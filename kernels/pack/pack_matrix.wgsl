// A checkpoint matrix [out = rows][in = k] becomes [k][columns], eight columns a word: each thread turns 8 rows x 4.
struct Params {
  rows: u32,
  k: u32,
  source_byte0: u32,
  formula_row0: u32,
  output_base: u32,
  output_group0: u32,
  output_groups: u32,
  hash: u32,
  amplitude: f32,
  stored: u32,
  flag: u32,
}

@group(0) @binding(0) var<storage, read> source: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> flags: array<atomic<u32>>;
var<immediate> params: Params;

fn row4(row: u32, k: u32) -> vec4f {
  if (row >= params.rows) {
    return vec4f();
  }
  return source4(row, k);
}

// Neighbouring threads own neighbouring eights of columns, so that what a workgroup writes lies together; each walks
// 32 values along k, so that every line it reads is used up while it is near.
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = 8u * id.x;
  if (row >= params.rows) {
    return;
  }
  let column = column_at(params.output_base, params.output_group0 + id.x, params.output_groups, params.k);
  var largest = vec4u();
  for (var k = 32u * id.y; k < min(32u * id.y + 32u, params.k); k += 4u) {
    let a = row4(row, k);
    let b = row4(row + 1u, k);
    let c = row4(row + 2u, k);
    let d = row4(row + 3u, k);
    let e = row4(row + 4u, k);
    let f = row4(row + 5u, k);
    let g = row4(row + 6u, k);
    let h = row4(row + 7u, k);
    let abcd = max(max(magnitude(a), magnitude(b)), max(magnitude(c), magnitude(d)));
    let efgh = max(max(magnitude(e), magnitude(f)), max(magnitude(g), magnitude(h)));
    largest = max(largest, max(abcd, efgh));
    let at = column.first + k * column.step;
    store8(at, vec4f(a.x, b.x, c.x, d.x), vec4f(e.x, f.x, g.x, h.x));
    store8(at + column.step, vec4f(a.y, b.y, c.y, d.y), vec4f(e.y, f.y, g.y, h.y));
    store8(at + 2u * column.step, vec4f(a.z, b.z, c.z, d.z), vec4f(e.z, f.z, g.z, h.z));
    store8(at + 3u * column.step, vec4f(a.w, b.w, c.w, d.w), vec4f(e.w, f.w, g.w, h.w));
  }
  inspect(largest);
}
