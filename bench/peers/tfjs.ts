import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { polite } from '../../engine/gpu/wait.ts';
import { open_adapter } from '../../engine/node/gpu.ts';
import { causal_mask, EPS, type Inputs, type Operation, type Peer, type Runner } from './operations.ts';
import { version_of } from './version.ts';

/** A vocabulary in f32 is more than a software adapter binds. */
const LARGEST_BYTES = 2 ** 27;

/**
 * TensorFlow.js on the engine's own Dawn with the engine's own toggles. On a software adapter twice: as its API waits, and
 * sleeping between looks as the engine does.
 */
export async function open_tfjs(software: boolean): Promise<Peer[]> {
  const { instance, adapter } = await open_adapter({ mode: 'release' });
  // What the backend looks for when it is loaded.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: instance }, configurable: true });
  await import('@tensorflow/tfjs-backend-webgpu');
  await tf.setBackend('webgpu');
  const named = adapter.info.description || adapter.info.device;
  return software ? [peer(named, false), peer(named, true)] : [peer(named, false)];
}

function peer(adapter: string, nap: boolean): Peer {
  const read = (tensor: Tensor) => polite(tensor.data() as Promise<Float32Array>, nap);

  const open = async (c: Operation, data: Inputs): Promise<Runner> => {
    const kept: Tensor[] = [];
    const keep = <T extends Tensor>(tensor: T): T => {
      kept.push(tensor);
      return tensor;
    };
    const compute = operation(c, data, keep);
    let repeats = 1;
    return {
      async result() {
        const y = tf.tidy(compute);
        const values = await read(y);
        y.dispose();
        return values;
      },
      async repeat(times) {
        repeats = times;
      },
      async run() {
        const corner = tf.tidy(() => {
          for (let i = 1; i < repeats; i++) tf.tidy(compute).dispose();
          return tf.slice(tf.reshape(compute(), [-1]), [0], [4]);
        });
        await read(corner);
        corner.dispose();
      },
      async close() {
        tf.dispose(kept);
      },
    };
  };
  return {
    name: nap ? 'tfjs (nap)' : 'tfjs',
    version: version_of('@tensorflow/tfjs-backend-webgpu'),
    adapter,
    note: `waits for tensor.data() of four values${nap ? ', sleeping 1 ms between looks as the engine does' : ', which the event loop polls without rest'}`,
    only_f32: true,
    offers: (c, dtype) => dtype === 'f32' || (c.kind === 'linear' && 4 * c.k * c.cols <= LARGEST_BYTES),
    open,
  };
}

type Keep = <T extends Tensor>(tensor: T) => T;

/** One fused operation where there is one, else composed of what there is. */
function operation(c: Operation, data: Inputs, keep: Keep): () => Tensor {
  const rows2d = (name: string, cols: number) => {
    const values = data[name] as Float32Array;
    return keep(tf.tensor2d(values, [values.length / cols, cols]));
  };
  if (c.kind === 'linear') {
    const [a, weights] = [rows2d('a', c.k), rows2d('weights', c.cols)];
    return () => tf.matMul(a, weights);
  }
  if (c.kind === 'norm') {
    const [x, weight] = [rows2d('x', c.cols), rows2d('weight', c.cols)];
    if (!c.bias) {
      return () => {
        const scale = tf.rsqrt(tf.add(tf.mean(tf.square(x), 1, true), EPS));
        return tf.mul(tf.mul(x, scale), weight);
      };
    }
    const bias = rows2d('bias', c.cols);
    return () => {
      const { mean, variance } = tf.moments(x, 1, true);
      const scale = tf.rsqrt(tf.add(variance, EPS));
      return tf.add(tf.mul(tf.mul(tf.sub(x, mean), scale), weight), bias);
    };
  }
  if (c.kind === 'combine') {
    const y = keep(tf.tensor3d(data.parts as Float32Array, [c.rows, c.k, c.cols]));
    const weights = keep(tf.tensor3d(data.weights as Float32Array, [c.rows, 1, c.k]));
    const x = rows2d('x', c.cols);
    return () => tf.add(x, tf.reshape(tf.matMul(weights, y), [c.rows, c.cols]));
  }
  if (c.kind === 'route') {
    const logits = rows2d('logits', c.experts);
    return () => tf.topk(tf.softmax(logits), c.k).values;
  }
  const width = c.heads * c.head_dim;
  const [q, k, v] = ['q', 'k', 'v'].map((name) => rows2d(name, width)) as [Tensor, Tensor, Tensor];
  const by_head = (x: Tensor) => tf.transpose(tf.reshape(x, [c.rows, c.heads, c.head_dim]), [1, 0, 2]);
  const mask = c.causal ? keep(tf.tensor3d(causal_mask(c.rows), [1, c.rows, c.rows])) : undefined;
  return () => {
    const scores = tf.matMul(tf.mul(by_head(q), 1 / Math.sqrt(c.head_dim)), by_head(k), false, true);
    const shares = tf.softmax(mask === undefined ? scores : tf.add(scores, mask));
    return tf.reshape(tf.transpose(tf.matMul(shares, by_head(v)), [1, 0, 2]), [c.rows, width]);
  };
}
