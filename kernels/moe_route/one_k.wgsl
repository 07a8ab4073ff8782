// Every row takes as many experts as it has slots.
struct Params {
  rows: u32,
  experts: u32,
  k: u32,
  stride: u32,
  row0: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> experts: array<u32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;
var<immediate> params: Params;

fn taken(row: u32) -> u32 {
  return params.k;
}
