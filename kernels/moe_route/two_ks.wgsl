// Rows of text and of a picture take different numbers of experts; slots that a row leaves over are marked as empty.
struct Params {
  rows: u32,
  experts: u32,
  k: u32,
  stride: u32,
  row0: u32,
  k_text: u32,
  k_picture: u32,
  mark0: u32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> marks: array<u32>;
@group(0) @binding(2) var<storage, read_write> experts: array<u32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
var<immediate> params: Params;

fn taken(row: u32) -> u32 {
  return select(params.k_text, params.k_picture, marks[params.mark0 + row] != 0u);
}
