// What this bench calls of packages that only `npm run bench:peers` installs.
declare module 'onnxruntime-node' {
  export interface OnnxOptions {
    readonly executionProviders: readonly (string | { readonly name: string; readonly validationMode: 'disabled' })[];
    readonly graphOptimizationLevel: 'disabled' | 'all';
    readonly extra?: { readonly session: Readonly<Record<string, string>> };
    readonly preferredOutputLocation?: Readonly<Record<string, 'cpu' | 'gpu-buffer'>>;
    readonly logSeverityLevel: number;
  }
  export class Tensor {
    constructor(type: string, data: ArrayBufferView, dims: readonly number[]);
    /** Throws where the values are on the GPU. */
    readonly data: Float32Array | Uint16Array | BigInt64Array;
    dispose(): void;
  }
  export class InferenceSession {
    static create(model: Uint8Array, options: OnnxOptions): Promise<InferenceSession>;
    run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
    release(): Promise<void>;
  }
}

declare module '@tensorflow/tfjs-backend-webgpu' {}

declare module '@tensorflow/tfjs-core' {
  export interface Tensor {
    data(): Promise<unknown>;
    dispose(): void;
  }
  export function setBackend(name: string): Promise<boolean>;
  export function tensor2d(values: Float32Array, shape: readonly number[]): Tensor;
  export function tensor3d(values: Float32Array, shape: readonly number[]): Tensor;
  export function matMul(a: Tensor, b: Tensor, transpose_a?: boolean, transpose_b?: boolean): Tensor;
  export function reshape(x: Tensor, shape: readonly number[]): Tensor;
  export function transpose(x: Tensor, order: readonly number[]): Tensor;
  export function mul(a: Tensor, b: Tensor | number): Tensor;
  export function add(a: Tensor, b: Tensor | number): Tensor;
  export function sub(a: Tensor, b: Tensor): Tensor;
  export function square(x: Tensor): Tensor;
  export function mean(x: Tensor, axis: number, keep: boolean): Tensor;
  export function rsqrt(x: Tensor): Tensor;
  export function softmax(x: Tensor): Tensor;
  export function topk(x: Tensor, k: number): { readonly values: Tensor; readonly indices: Tensor };
  export function moments(x: Tensor, axis: number, keep: boolean): { readonly mean: Tensor; readonly variance: Tensor };
  export function slice(x: Tensor, from: readonly number[], size: readonly number[]): Tensor;
  export function tidy<T>(compute: () => T): T;
  export function dispose(tensors: readonly Tensor[]): void;
}

declare module '*.py' {
  const text: string;
  export default text;
}
