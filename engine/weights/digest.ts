import type { CheckpointSource } from './source.ts';

const SAMPLE_BYTES = 64;

/**
 * Tells checkpoints apart without reading all of them: SHA-256 over every tensor's name, type and shape and its first
 * bytes. A change deeper inside a tensor is not seen.
 */
export async function sampled_digest(source: CheckpointSource): Promise<string> {
  const tensors = [...source.tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const text = new TextEncoder().encode(tensors.map((t) => `${t.name} ${t.dtype} ${t.shape.join('x')}\n`).join(''));
  const all = new Uint8Array(text.length + SAMPLE_BYTES * tensors.length);
  all.set(text);
  for (const [i, { name, bytes }] of tensors.entries()) {
    const at = text.length + SAMPLE_BYTES * i;
    await source.read(name, 0, all.subarray(at, at + Math.min(SAMPLE_BYTES, bytes)));
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
