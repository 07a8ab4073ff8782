import { InputError } from '../errors.ts';
import { dtype_bytes, element_count, type RangeReader, type StoredDtype, type TensorInfo } from './source.ts';
import { type Json, parse_strict_json } from './strict_json.ts';
import { shown } from './text.ts';

// A safetensors file: u64 header length (little-endian), a JSON header, then the tensors' bytes without a gap.

const max_header_bytes = 100_000_000;
const max_name_length = 512;
const max_rank = 8;

/** `start` is the tensor's first byte in the file. */
export type FileTensor = TensorInfo & { readonly start: number };

export type SafetensorsFile = {
  readonly reader: RangeReader;
  readonly tensors: ReadonlyMap<string, FileTensor>;
  readonly metadata: ReadonlyMap<string, string>;
};

/** Reads and checks the header only. The caller keeps the reader and closes it. */
export async function open_safetensors(reader: RangeReader): Promise<SafetensorsFile> {
  const where = reader.name;
  if (reader.size < 10) {
    throw new InputError(`${where}: expected a safetensors file, found only ${reader.size} bytes; fetch it again`);
  }
  const length_bytes = new Uint8Array(8);
  await reader.read(0, length_bytes);
  if (new TextDecoder().decode(length_bytes) === 'version ') {
    throw new InputError(`${where}: expected tensors, found a Git LFS pointer; fetch the file itself (git lfs pull)`);
  }
  const length = new DataView(length_bytes.buffer).getBigUint64(0, true);
  if (length < 2n || length > BigInt(max_header_bytes)) {
    throw new InputError(
      `${where}: expected a safetensors header of 2 to ${max_header_bytes} bytes, found length ${length}; is it a safetensors file?`,
    );
  }
  const data_start = 8 + Number(length);
  if (data_start > reader.size) {
    throw new InputError(
      `${where}: expected a header up to byte ${data_start}, found a file of ${reader.size} bytes: it is truncated; fetch it again`,
    );
  }
  const header = new Uint8Array(data_start - 8);
  await reader.read(8, header);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw new InputError(`${where}: expected a header in UTF-8, found other bytes; is it a safetensors file?`);
  }
  const { tensors, metadata } = parse_header(text, data_start, reader.size, where);
  return { reader, tensors, metadata };
}

type Header = { tensors: Map<string, FileTensor>; metadata: Map<string, string> };

function parse_header(text: string, data_start: number, file_bytes: number, where: string): Header {
  const json = text.startsWith('{') ? parse_strict_json(text, `${where} (header)`) : undefined;
  if (!(json instanceof Map)) {
    throw new InputError(`${where}: expected a header that begins with "{", found ${shown(text[0])}; fetch it again`);
  }
  const metadata = parse_metadata(json.get('__metadata__'), where);
  json.delete('__metadata__');
  const tensors = [...json].map(([name, entry]) => parse_tensor(name, entry, data_start, where));
  // The format wants the data covered from end to end; a file may list its tensors in any order.
  tensors.sort((a, b) => a.start - b.start || a.bytes - b.bytes);
  let end = data_start;
  for (const tensor of tensors) {
    if (tensor.start !== end) {
      const problem = tensor.start < end ? 'an overlap' : 'a hole';
      throw new InputError(
        `${where}: expected tensor ${shown(tensor.name)} to start at data byte ${end - data_start}, found ${tensor.start - data_start}: ${problem}; write the file again`,
      );
    }
    end += tensor.bytes;
  }
  if (end !== file_bytes) {
    const problem =
      end > file_bytes ? 'it is truncated; fetch it again' : 'bytes follow the last tensor; write it again';
    throw new InputError(`${where}: expected ${end} bytes as its header says, found ${file_bytes}: ${problem}`);
  }
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function parse_metadata(json: Json | undefined, where: string): Map<string, string> {
  const metadata = new Map<string, string>();
  if (json === undefined) return metadata;
  if (!(json instanceof Map)) {
    throw new InputError(`${where}: __metadata__: expected an object, found ${shown(json)}; write the file again`);
  }
  for (const [key, value] of json) {
    if (typeof value !== 'string') {
      throw new InputError(
        `${where}: __metadata__: expected a string for ${shown(key)}, found ${shown(value)}; write the file again`,
      );
    }
    metadata.set(key, value);
  }
  return metadata;
}

function parse_tensor(name: string, entry: Json, data_start: number, where: string): FileTensor {
  const fail = (expected: string, found: unknown, remedy = 'write the file again'): never => {
    throw new InputError(`${where}: tensor ${shown(name)}: expected ${expected}, found ${shown(found)}; ${remedy}`);
  };
  if (name.length === 0 || name.length > max_name_length || /\p{C}/u.test(name)) {
    fail(`a name of 1 to ${max_name_length} printable characters`, `${name.length} characters`);
  }
  if (!(entry instanceof Map)) return fail('an object with dtype, shape and data_offsets', entry);
  const dtype = entry.get('dtype');
  const shape = entry.get('shape');
  const offsets = entry.get('data_offsets');
  for (const key of entry.keys()) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') fail('dtype, shape and data_offsets only', key);
  }
  if (!is_dtype(dtype)) return fail('dtype F32, F16 or BF16', dtype, 'convert the checkpoint to one of these');
  if (!is_sizes(shape) || shape.length > max_rank) return fail(`a shape of up to ${max_rank} sizes`, shape);
  if (!is_sizes(offsets) || offsets.length !== 2) return fail('data_offsets [begin, end]', offsets);
  const [begin, end] = offsets as [number, number];
  const bytes = checked_bytes(shape, dtype);
  if (bytes === undefined) return fail('a size that can be addressed', shape);
  if (end - begin !== bytes) {
    fail(`${bytes} bytes for ${dtype} [${shape.join(', ')}]`, end - begin);
  }
  if (!Number.isSafeInteger(data_start + end)) fail('data_offsets that can be addressed', offsets);
  return { name, dtype, shape, bytes, start: data_start + begin };
}

function is_dtype(value: Json | undefined): value is StoredDtype {
  return typeof value === 'string' && Object.hasOwn(dtype_bytes, value);
}

function is_sizes(value: Json | undefined): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && (n as number) >= 0);
}

function checked_bytes(shape: readonly number[], dtype: StoredDtype): number | undefined {
  let bytes = dtype_bytes[dtype];
  for (const dim of shape) {
    bytes *= dim;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}

/**
 * The bytes before the tensors' data, for tensors that follow in this order without a gap.
 * Padded with spaces so that the data begins at a multiple of 8.
 */
export function safetensors_header(
  tensors: readonly Pick<TensorInfo, 'name' | 'dtype' | 'shape'>[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  let begin = 0;
  for (const { name, dtype, shape } of tensors) {
    const end = begin + element_count(shape) * dtype_bytes[dtype];
    header.push([name, { dtype, shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  const entries = Object.fromEntries(header);
  if (Object.keys(entries).length < header.length) {
    throw new InputError('safetensors header: expected each tensor name once, found a repeated one; rename it');
  }
  const text = JSON.stringify(entries);
  const json_bytes = new TextEncoder().encode(text);
  const length = Math.ceil(json_bytes.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json_bytes, 8);
  return bytes;
}
