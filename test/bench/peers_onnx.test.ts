import { expect, it } from 'vitest';
import { GraphBuilder } from '../../bench/peers/graph_builder.ts';
import { OnnxWeights } from '../../bench/peers/onnx_weights.ts';
import { preset_config } from '../../engine/model/presets.ts';

const has = (bytes: Uint8Array, ...wanted: number[]) => Buffer.from(bytes).includes(Buffer.from(wanted));

it('writes negative attributes as 64 bits, and lengths that differ from run to run as names', () => {
  const g = new GraphBuilder('f32');
  g.output('y', g.op('Softmax', [g.input('x', 'f32', [2, 'past'])], { axis: -1 }), 'f32', [2, 'past']);
  const bytes = g.encoded();
  expect(has(bytes, 0x18, ...new Array(9).fill(0xff), 0x01)).toBe(true); // AttributeProto.i
  expect(has(bytes, 0x0a, 2, 0x08, 2, 0x0a, 6, 0x12, 4, ...Buffer.from('past'))).toBe(true); // two dimensions of a shape
});

it('turns matrices to [in, out], and puts an expert’s gate and up side by side', () => {
  const config = preset_config('molmoe-tiny');
  const weights = new OnnxWeights(config);
  const expert = 'model.transformer.blocks.1.mlp.experts.3';
  const { d_model: d, expert_hidden: hidden } = config;
  const [gate, up] = ['gate_proj', 'up_proj'].map((part) => weights.values(`${expert}.${part}.weight`));
  const both = weights.expert(expert, 'gate_up');
  const at = (row: number, col: number) => both[row * 2 * hidden + col];
  expect([at(0, 1), at(d - 1, 0), at(2, hidden + 5)]).toEqual([gate?.[d], gate?.[d - 1], up?.[5 * d + 2]]);
  const all = weights.experts('model.transformer.blocks.1.mlp', 'gate_up');
  expect(all.subarray(3 * both.length, 4 * both.length)).toEqual(both);
});
