alias Value = f32;
alias Value4 = vec4f;
