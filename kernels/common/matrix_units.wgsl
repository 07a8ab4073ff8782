// What a matrix unit does, as far as the kernels need it: [MATRIX_M][MATRIX_K] x [MATRIX_K][MATRIX_N] values of f16, summed
// up in f32. A subgroup holds one such matrix together, so all its SUBGROUP invocations must call these functions alike. Tests
// replace this file by one that does the same on any adapter. `stage` and `scratch` are the kernel's workgroup memory, in
// fours; a place `at` and the distance of rows `pitch` count fours too.
alias Half4 = vec4<f16>;
alias Left = subgroup_matrix_left<f16, MATRIX_K, MATRIX_M>;
alias Right = subgroup_matrix_right<f16, MATRIX_N, MATRIX_K>;
alias Result = subgroup_matrix_result<f32, MATRIX_N, MATRIX_M>;

// Beyond 65504 f16 has only infinities, which no sum gets rid of: nothing is scaled or clamped here.
fn half4(x: vec4f) -> Half4 {
  return Half4(x);
}

fn half4_of(words: vec2u) -> Half4 {
  return bitcast<Half4>(words);
}

// Invocations of one subgroup lie side by side: its number within the workgroup.
fn subgroup_of(thread: u32) -> u32 {
  return thread / SUBGROUP;
}

fn load_left(at: u32, pitch: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&stage, at, pitch);
}

fn load_right(at: u32, pitch: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&stage, at, pitch);
}

// Memory holds the matrix [MATRIX_N][MATRIX_K].
fn load_right_turned(at: u32, pitch: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&stage, at, pitch);
}

fn multiply_add(left: Left, right: Right, sum: Result) -> Result {
  return subgroupMatrixMultiplyAccumulate(left, right, sum);
}

fn store_result(at: u32, pitch: u32, sum: Result) {
  subgroupMatrixStore<row_major>(&scratch, at, sum, pitch);
}
