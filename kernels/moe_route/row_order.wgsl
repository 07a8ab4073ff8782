// A row of router logits in workgroup memory. An expert's place is the number of experts that come before it, so nothing
// is sorted and one barrier does.
var<workgroup> row_logits: array<f32, 256>;

fn row_top(experts: u32) -> f32 {
  var top = row_logits[0];
  for (var e = 1u; e < experts; e++) {
    top = max(top, row_logits[e]);
  }
  return top;
}

fn row_sum(experts: u32, top: f32) -> f32 {
  var sum = 0.0;
  for (var e = 0u; e < experts; e++) {
    sum += exp(row_logits[e] - top);
  }
  return sum;
}

fn place_of(e: u32, experts: u32) -> u32 {
  let key = order_key(row_logits[e]);
  var place = 0u;
  for (var other = 0u; other < experts; other++) {
    let other_key = order_key(row_logits[other]);
    place += u32(other_key > key || (other_key == key && other < e));
  }
  return place;
}
