import type { ModelConfig } from '../../engine/model/config.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { fill } from '../../engine/weights/formula.ts';
import { element_count, type TensorSpec } from '../../engine/weights/source.ts';

/** Of the synthetic weights: what `Molmoe.load` takes for a preset. */
export const SEED = 1;

/** The engine's synthetic weights as ONNX wants them: matrices are [in, out]. */
export class OnnxWeights {
  private readonly specs: ReadonlyMap<string, TensorSpec>;
  private readonly config: ModelConfig;

  constructor(config: ModelConfig) {
    this.specs = new Map(tensor_specs(config).map((spec) => [spec.name, spec]));
    this.config = config;
  }

  has(name: string): boolean {
    return this.specs.has(name);
  }

  spec(name: string): TensorSpec {
    const spec = this.specs.get(name);
    if (spec === undefined) throw new Error(`${name}: expected a tensor of the model, found none; correct the graph`);
    return spec;
  }

  values(name: string, scale = 1): Float32Array {
    const spec = this.spec(name);
    const values = new Float32Array(element_count(spec.shape));
    fill(spec, SEED, 0, values);
    return scale === 1 ? values : values.map((value) => value * scale);
  }

  matrix(name: string, scale = 1): Float32Array {
    const values = this.values(name, scale);
    const [out, inner] = this.spec(name).shape as [number, number];
    const turned = new Float32Array(values.length);
    for (let o = 0; o < out; o++) for (let i = 0; i < inner; i++) turned[i * out + o] = values[o * inner + i] as number;
    return turned;
  }

  /** One expert's matrix; `gate_up` is two side by side. */
  expert(name: string, part: 'gate_up' | 'down_proj'): Float32Array {
    if (part !== 'gate_up') return this.matrix(`${name}.${part}.weight`);
    const { d_model: d, expert_hidden: hidden } = this.config;
    const [gate, up] = [this.matrix(`${name}.gate_proj.weight`), this.matrix(`${name}.up_proj.weight`)];
    const both = new Float32Array(2 * d * hidden);
    for (let row = 0; row < d; row++) {
      both.set(gate.subarray(row * hidden, (row + 1) * hidden), 2 * row * hidden);
      both.set(up.subarray(row * hidden, (row + 1) * hidden), (2 * row + 1) * hidden);
    }
    return both;
  }

  /** All experts' matrices, one behind the other. */
  experts(name: string, part: 'gate_up' | 'down_proj'): Float32Array {
    const { n_experts } = this.config;
    return joined(Array.from({ length: n_experts }, (_, e) => this.expert(`${name}.experts.${e}`, part)));
  }
}

export function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
