struct Params {
  value: u32,
}

@group(0) @binding(0) var<storage, read_write> mark: array<u32>;
var<immediate> params: Params;

@compute @workgroup_size(1)
fn main() {
  mark[0] = params.value;
}
