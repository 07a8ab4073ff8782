import { InferenceSession, type OnnxOptions, Tensor } from 'onnxruntime-node';
import { decode, encode } from '../../engine/weights/half.ts';
import { DTYPE_BYTES, type Dtype } from './onnx.ts';
import { type Forms, OnnxMolmoe } from './onnx_molmoe.ts';
import { type Answer, first_and_last, type Request, type RequestRunner, type Times } from './request.ts';

/**
 * The fastest of those that are right on a software adapter: there its own attention is off where many queries see many
 * keys.
 */
export const FORMS: Forms = {
  vision: 'composed',
  pooling: 'fused',
  prefill: 'composed',
  decode: 'fused',
  prefill_experts: 'sorted',
  decode_experts: 'gathered',
};

const options = (outputs: OnnxOptions['preferredOutputLocation']): OnnxOptions => ({
  executionProviders: [{ name: 'webgpu', validationMode: 'disabled' }],
  graphOptimizationLevel: 'all',
  preferredOutputLocation: outputs,
  logSeverityLevel: 4,
});

/**
 * The request in onnxruntime's WebGPU provider: a session a stage. What goes from one to the next stays on the GPU, keys and
 * values too. Read back are a corner a stage, so that its end is known, each token, and its logits.
 */
export async function open_onnx_request(request: Request, dtype: Dtype, forms: Forms = FORMS): Promise<RequestRunner> {
  const { config, views, ids, new_tokens } = request;
  const model = new OnnxMolmoe(config, dtype, forms, { views, prompt_tokens: ids.length });
  const cache = Array.from({ length: config.n_layers }, (_, n) => [`key_${n}`, `value_${n}`]).flat();
  const on_gpu = Object.fromEntries(cache.map((name) => [name, 'gpu-buffer' as const]));
  const vision = await InferenceSession.create(model.vision_encoder(), options({ features: 'gpu-buffer' }));
  const projector = await InferenceSession.create(model.projector(), options({ rows: 'gpu-buffer' }));
  const prefill = await InferenceSession.create(model.prefill(), options(on_gpu));
  const decoding = await InferenceSession.create(model.decode(), options(on_gpu));
  const given = inputs_of(request, dtype);
  const wanted = ['token', 'logits', ...cache];
  let logits: readonly Float32Array[] = [];

  async function run(): Promise<Answer> {
    const times: Record<string, number> = {};
    let started = performance.now();
    const stage = (name: string) => {
      const now = performance.now();
      times[`${name}_ms`] = now - started;
      started = now;
    };
    const { images, counts, padding, row_of } = given;
    const { features } = await vision.run({ images, counts, padding }, ['features', 'corner']);
    stage('vision_encoder');
    const { rows } = await projector.run({ features: features as Tensor }, ['rows', 'corner']);
    features?.dispose();
    stage('projector');
    let step = await prefill.run({ ids: given.ids, row_of, rows: rows as Tensor }, wanted);
    rows?.dispose();
    const first = reals(step.logits as Tensor);
    const tokens = [Number(step.token?.data[0])];
    stage('prefill');
    while (tokens.length < new_tokens) {
      const before = step;
      const position = integers([ids.length + tokens.length - 1]);
      const past = Object.fromEntries(cache.map((name) => [`past_${name}`, before[name] as Tensor]));
      step = await decoding.run({ ids: before.token as Tensor, position, ...past }, wanted);
      for (const name of cache) before[name]?.dispose();
      tokens.push(Number(step.token?.data[0]));
    }
    for (const name of cache) step[name]?.dispose();
    stage('decode');
    logits = [first, reals(step.logits as Tensor)];
    return { tokens, times: times as unknown as Times };
  }

  return {
    run,
    async logits() {
      if (logits.length === 0) await run();
      return first_and_last(logits);
    },
    async close() {
      for (const session of [vision, projector, prefill, decoding]) await session.release();
    },
  };
}

function reals({ data }: Tensor): Float32Array {
  if (data instanceof Float32Array) return data.slice();
  return decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 'F16');
}

const integers = (values: readonly number[]) => {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
};

/** What the graphs are given, from what preprocessing made. */
function inputs_of({ config, views, ids, images, masks, index }: Request, dtype: Dtype) {
  const real = (values: Float32Array, dims: readonly number[]) => {
    const bytes = new Uint8Array(values.length * DTYPE_BYTES[dtype]);
    encode(values, dtype === 'f16' ? 'F16' : 'F32', bytes);
    if (dtype === 'f16') return new Tensor('float16', new Uint16Array(bytes.buffer), dims);
    return new Tensor('float32', new Float32Array(bytes.buffer), dims);
  };
  const [patches, view] = [masks.length / views, images.length / views];
  const shown = Array.from({ length: views }, (_, v) =>
    images.subarray(v * view, (v + 1) * view).some((x) => x !== -1),
  );
  const padding = Float32Array.from({ length: 2 * masks.length }, (_, i) => {
    const mask = masks[i >> 1] as number;
    return Number(i % 2 === 0 ? mask === 0 : mask !== 0 && mask < 1);
  });
  const row_of = new Array<number>(ids.length).fill(index.length);
  for (const [row, token] of index.entries()) if (token >= 0) row_of[token] = row;
  return {
    images: real(images, [views, patches, 3 * config.vit.patch ** 2]),
    counts: real(Float32Array.from(shown, Number), [views, 1, 1]),
    padding: real(padding, [views, patches, 2]),
    ids: integers(ids),
    row_of: integers(row_of),
  };
}
