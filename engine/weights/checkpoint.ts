import { InputError } from '../errors.ts';
import { type FileTensor, open_safetensors, type SafetensorsFile } from './safetensors.ts';
import type { CheckpointSource, Folder, TensorInfo, TensorSpec } from './source.ts';
import { parse_strict_json } from './strict_json.ts';
import { counted, shown } from './text.ts';

const single_name = 'model.safetensors';
const index_name = 'model.safetensors.index.json';
const max_index_bytes = 100_000_000;
const max_shards = 256;

/** A plain file name: an index may not point out of its folder. */
const shard_name = /^[A-Za-z0-9][A-Za-z0-9._-]{0,250}\.safetensors$/;

/** Opens a Hugging Face style folder and compares it with what the model needs. All differences come in one error. */
export async function open_checkpoint(folder: Folder, expected: readonly TensorSpec[]): Promise<CheckpointSource> {
  const files: SafetensorsFile[] = [];
  const close = async () => {
    for (const file of files) await file.reader.close();
  };
  try {
    const home = await open_files(folder, files);
    const tensors = new Map([...home].map(([name, file]) => [name, file.tensors.get(name) as FileTensor]));
    compare(tensors, expected, folder.label);

    const read = async (name: string, byte_offset: number, into: Uint8Array) => {
      const tensor = tensors.get(name);
      const file = home.get(name);
      if (!tensor || !file)
        throw new InputError(`${folder.label}: expected a tensor of the model, found ${shown(name)}`);
      if (!Number.isSafeInteger(byte_offset) || byte_offset < 0 || byte_offset + into.length > tensor.bytes) {
        throw new InputError(
          `${folder.label}: expected a range within the ${tensor.bytes} bytes of ${name}, found ${into.length} bytes at ${byte_offset}`,
        );
      }
      await file.reader.read(tensor.start + byte_offset, into);
    };
    return { kind: 'checkpoint', label: folder.label, tensors, read, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What a folder's files hold, by their headers: nothing is compared, no tensor is read. */
export interface CheckpointHeaders {
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly tensors: number }[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Whether there are such files at all. */
export const holds_weights = (names: readonly string[]): boolean =>
  names.includes(single_name) || names.includes(index_name);

export async function read_headers(folder: Folder): Promise<CheckpointHeaders> {
  const files: SafetensorsFile[] = [];
  try {
    await open_files(folder, files);
    return {
      files: files.map(({ reader: { name, size }, tensors }) => ({ name, bytes: size, tensors: tensors.size })),
      tensors: new Map(files.flatMap((file) => [...file.tensors])),
    };
  } finally {
    for (const file of files) await file.reader.close();
  }
}

/** Fills `files` and returns the file each tensor is in. */
async function open_files(folder: Folder, files: SafetensorsFile[]): Promise<Map<string, SafetensorsFile>> {
  const names = new Set(await folder.list());
  if (!holds_weights([...names])) {
    const torch = [...names].some((name) => name.endsWith('.bin') || name.endsWith('.pt'));
    const remedy = torch ? 'convert the PyTorch files to safetensors' : 'check the folder or fetch the checkpoint';
    throw new InputError(
      `${folder.label}: expected ${single_name} or ${index_name}, found neither among ${names.size} files; ${remedy}`,
    );
  }
  // Like other loaders: a single file comes first where both are there.
  const index = names.has(single_name) ? undefined : await read_index(folder, names);
  const home = new Map<string, SafetensorsFile>();
  for (const file_name of index ? new Set(index.values()) : [single_name]) {
    const reader = await folder.open(file_name);
    let file: SafetensorsFile;
    try {
      file = await open_safetensors(reader);
    } catch (error) {
      await reader.close();
      throw error;
    }
    files.push(file);
    for (const name of file.tensors.keys()) {
      const other = home.get(name);
      if (other) {
        throw new InputError(
          `${reader.name}: expected each tensor once, found ${shown(name)} in ${other.reader.name} too; fetch the checkpoint again`,
        );
      }
      home.set(name, file);
    }
  }
  if (index) compare_index(index, home, files, folder.label);
  return home;
}

/** The index as tensor name -> shard name, with every shard name safe and in the folder. */
async function read_index(folder: Folder, names: ReadonlySet<string>): Promise<Map<string, string>> {
  const where = `${folder.label}/${index_name}`;
  const json = parse_strict_json(await folder.text(index_name, max_index_bytes), where);
  const weight_map = json instanceof Map ? json.get('weight_map') : undefined;
  if (!(weight_map instanceof Map) || weight_map.size === 0) {
    throw new InputError(
      `${where}: expected an object weight_map with tensors, found ${shown(weight_map)}; fetch it again`,
    );
  }
  const index = new Map<string, string>();
  for (const [name, shard] of weight_map) {
    if (typeof shard !== 'string' || !shard_name.test(shard)) {
      throw new InputError(
        `${where}: expected a file name *.safetensors in this folder for ${shown(name)}, found ${shown(shard)}; fetch it again`,
      );
    }
    index.set(name, shard);
  }
  const shards = new Set(index.values());
  if (shards.size > max_shards) {
    throw new InputError(`${where}: expected at most ${max_shards} shards, found ${shards.size}; merge them`);
  }
  const absent = [...shards].filter((shard) => !names.has(shard));
  if (absent.length > 0) {
    throw new InputError(
      `${folder.label}: expected every shard that ${index_name} names, found ${counted(absent, 'missing')}; fetch the rest`,
    );
  }
  return index;
}

function compare_index(
  index: ReadonlyMap<string, string>,
  home: ReadonlyMap<string, SafetensorsFile>,
  files: readonly SafetensorsFile[],
  where: string,
): void {
  const shards = [...new Set(index.values())];
  const file_of = new Map(shards.map((shard, i) => [shard, files[i]]));
  const wrong = [...index].filter(([name, shard]) => home.get(name) !== file_of.get(shard));
  const extra = [...home.keys()].filter((name) => !index.has(name));
  const problems = [
    counted(
      wrong.map(([name, shard]) => `${shown(name)} not in ${shard}`),
      'misplaced',
    ),
    counted(extra.map(shown), 'in a shard but not in the index'),
  ].filter((problem) => problem !== '');
  if (problems.length > 0) {
    throw new InputError(
      `${where}: expected the shards to hold what ${index_name} says, found ${problems.join('; ')}; fetch the checkpoint again`,
    );
  }
}

export interface TensorDifferences {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly {
    readonly name: string;
    readonly expected: readonly number[];
    readonly found: readonly number[];
  }[];
}

export function tensor_differences(
  tensors: ReadonlyMap<string, TensorInfo>,
  expected: readonly TensorSpec[],
): TensorDifferences {
  const names = new Set(expected.map((spec) => spec.name));
  return {
    missing: expected.filter((spec) => !tensors.has(spec.name)).map((spec) => spec.name),
    unexpected: [...tensors.keys()].filter((name) => !names.has(name)),
    misshapen: expected.flatMap(({ name, shape }) => {
      const found = tensors.get(name)?.shape;
      return found && found.join() !== shape.join() ? [{ name, expected: shape, found }] : [];
    }),
  };
}

function compare(tensors: ReadonlyMap<string, FileTensor>, expected: readonly TensorSpec[], where: string): void {
  const { missing, unexpected, misshapen } = tensor_differences(tensors, expected);
  const shapes = misshapen.map((one) => `${one.name} expected [${one.expected.join()}] found [${one.found.join()}]`);
  const problems = [
    counted(missing, 'missing'),
    counted(unexpected.map(shown), 'unexpected'),
    counted(shapes, 'misshapen'),
  ].filter((problem) => problem !== '');
  if (problems.length === 0) return;
  if ([...tensors.keys()].some((name) => /(^|\.)ffn\.(experts\.mlp\.|router\.layer\.)/.test(name))) {
    throw new InputError(
      `${where}: expected the Hugging Face tensor names (mlp.experts.0.gate_proj.weight), found the native training layout (ffn.experts.mlp.w1); convert the checkpoint`,
    );
  }
  throw new InputError(
    `${where}: expected the ${expected.length} tensors of config.json, found ${problems.join('; ')}; is this checkpoint of the same model as its config.json?`,
  );
}
