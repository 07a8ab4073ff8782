// Stands in for kernels/common/matrix_units.wgsl where there are no matrix units. Of a result, each invocation of a subgroup holds
// a run of values; of a left matrix, the row that these need; a right matrix is only remembered and read when it is used,
// which kernels do before they stage something else in its place.
const OWN = MATRIX_M * MATRIX_N / SUBGROUP;

alias Half4 = vec2u;
alias Left = array<vec4f, MATRIX_K / 4u>;
alias Result = array<f32, OWN>;

struct Right {
  at: u32,
  pitch: u32,
  turned: bool,
}

var<private> lane: u32;

// Loops up to what no compiler knows are not unrolled: copies of them would take minutes to compile.
fn up_to(count: u32) -> u32 {
  return count + lane / SUBGROUP;
}

fn half4(x: vec4f) -> Half4 {
  return vec2u(pack2x16float(x.xy), pack2x16float(x.zw));
}

fn half4_of(words: vec2u) -> Half4 {
  return words;
}

fn subgroup_of(thread: u32) -> u32 {
  lane = thread % SUBGROUP;
  return thread / SUBGROUP;
}

fn staged4(at: u32) -> vec4f {
  return vec4f(unpack2x16float(stage[at].x), unpack2x16float(stage[at].y));
}

fn load_left(at: u32, pitch: u32) -> Left {
  var left: Left;
  for (var k = 0u; k < up_to(MATRIX_K / 4u); k++) {
    left[k] = staged4(at + lane * OWN / MATRIX_N * pitch + k);
  }
  return left;
}

fn load_right(at: u32, pitch: u32) -> Right {
  return Right(at, pitch, false);
}

fn load_right_turned(at: u32, pitch: u32) -> Right {
  return Right(at, pitch, true);
}

fn multiply_add(left: Left, right: Right, sum: Result) -> Result {
  var result = sum;
  for (var i = 0u; i < up_to(OWN); i++) {
    let col = (lane * OWN + i) % MATRIX_N;
    for (var k = 0u; k < up_to(MATRIX_K / 4u); k++) {
      var w: vec4f;
      if (right.turned) {
        w = staged4(right.at + col * right.pitch + k);
      } else {
        for (var n = 0u; n < 4u; n++) {
          w[n] = staged4(right.at + (4u * k + n) * right.pitch + col / 4u)[col % 4u];
        }
      }
      result[i] += dot(left[k], w);
    }
  }
  return result;
}

fn store_result(at: u32, pitch: u32, sum: Result) {
  for (var i = 0u; i < up_to(OWN); i++) {
    let value = lane * OWN + i;
    scratch[at + value / MATRIX_N * pitch + value % MATRIX_N / 4u][value % 4u] = sum[i];
  }
}
