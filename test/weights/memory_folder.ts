import { expect } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { safetensors_header } from '../../engine/weights/safetensors.ts';
import type { Folder, RangeReader, StoredDtype } from '../../engine/weights/source.ts';

export function memory_reader(name: string, bytes: Uint8Array): RangeReader {
  return {
    name,
    size: bytes.length,
    read: async (offset, into) => {
      if (offset < 0 || offset + into.length > bytes.length) throw new Error(`${name}: read past the end at ${offset}`);
      into.set(bytes.subarray(offset, offset + into.length));
    },
    close: async () => {},
  };
}

export function memory_folder(files: Record<string, Uint8Array>): Folder & { open_count: () => number } {
  let open_readers = 0;
  const file = (name: string): Uint8Array => {
    const bytes = files[name];
    if (!bytes) throw new Error(`asked for ${name}, which is not in the folder`);
    return bytes;
  };
  return {
    label: 'memory',
    list: async () => Object.keys(files),
    open: async (name) => {
      const reader = memory_reader(`memory/${name}`, file(name));
      open_readers++;
      return { ...reader, close: async () => void open_readers-- };
    },
    text: async (name) => new TextDecoder('utf-8', { fatal: true }).decode(file(name)),
    open_count: () => open_readers,
  };
}

export type TestTensor = { name: string; dtype: StoredDtype; shape: number[]; data: Uint8Array };

export function safetensors_bytes(tensors: readonly TestTensor[], metadata?: Record<string, string>): Uint8Array {
  return join_bytes([safetensors_header(tensors, metadata), ...tensors.map((tensor) => tensor.data)]);
}

/** A file with exactly this header text, for headers that the serialiser would not write. */
export function file_with_header(header: string | Uint8Array, data_bytes: number): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true);
  return join_bytes([length, text, new Uint8Array(data_bytes)]);
}

export function join_bytes(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The message of a failure that a user may see: an InputError of one line, of bearable length. */
export async function input_error(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  const { message } = error as InputError;
  expect(message).not.toMatch(/[\n\r\u2028\u2029]/);
  expect(message.length).toBeLessThan(1500);
  return message;
}
