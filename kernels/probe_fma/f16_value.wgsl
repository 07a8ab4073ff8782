enable f16; // first in the text, so this kernel takes no options
alias Value = f16;
alias Value4 = vec4h;
