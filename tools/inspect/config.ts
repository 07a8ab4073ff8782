import {
  config_to_json,
  fixed_config_json,
  type JsonObject,
  type ModelConfig,
  merge_config,
  parse_config,
} from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { load_config } from '../../engine/model/load_config.ts';
import { preset_layers } from '../../engine/model/presets.ts';
import { folder_of } from '../../engine/node/choose_model.ts';
import type { Folder } from '../../engine/weights/source.ts';
import { find_model } from './subject.ts';

/** The one object that a config.json has inside. */
const BACKBONE = 'vision_backbone';

const is_object = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * - `read`: the engine uses its value;
 * - `fixed`: the engine runs one value of it only, and has checked that it is this one;
 * - `absent`: asked for, not there;
 * - `ignored`: never asked for.
 */
export type FieldUse = 'read' | 'fixed' | 'absent' | 'ignored';

export interface Field {
  readonly field: string;
  /** Of an absent one, what the engine goes by in its place; null where it needs nothing. */
  readonly value: unknown;
  /** The file, or the part of a preset, that says so; null where absent. */
  readonly from: string | null;
  readonly use: FieldUse;
}

/** Every field of a configuration: where it came from, what became of it, and the model that follows. */
export async function inspect_config(model: string) {
  const found = find_model(model);
  const folder = folder_of(found);
  const { config, fields, other_files } = folder === undefined ? of_preset(found.name) : await of_folder(folder);
  const stands_in = stand_ins(config);
  const filled = fields.map((one) =>
    one.use === 'absent' ? { ...one, value: value_at(stands_in, one.field) ?? null } : one,
  );
  return {
    model: found.name,
    fields: [...filled, ...colours(fields, config)],
    other_files,
    config,
    geometry: geometry_of(config),
  };
}

export type ConfigReport = Awaited<ReturnType<typeof inspect_config>>;

/** What a config.json that leaves nothing out would say of this model. */
const stand_ins = (config: ModelConfig): JsonObject => ({
  ...config_to_json(config),
  head_dim: config.head_dim,
  n_kv_heads: config.n_heads,
  image_mean: config.image_mean,
  image_std: config.image_std,
});

/** Of preprocessor_config.json, the fields that are used although there is no such file. */
const colours = (fields: readonly Field[], config: ModelConfig): Field[] =>
  (['image_mean', 'image_std'] as const)
    .filter((field) => !fields.some((one) => one.field === field))
    .map((field) => ({ field, value: config[field], from: null, use: 'absent' }));

interface Read {
  readonly config: ModelConfig;
  readonly fields: readonly Field[];
  /** Of the folder, what holds no weights, configuration or vocabulary that the engine reads. */
  readonly other_files: readonly string[];
}

function of_preset(name: string): Read {
  const layers = preset_layers(name);
  const json = layers.reduce<JsonObject>((base, layer) => merge_config(base, layer.json), {});
  const asked = new Set<string>();
  const config = parse_config(watched(json, asked), `preset ${name}`);
  const from = (field: string) => layers.findLast((layer) => value_at(layer.json, field) !== undefined)?.from ?? null;
  return { config, fields: fields_of(json, asked, from), other_files: [] };
}

const READ_FILES = /^((preprocessor_)?config\.json|tokenizer(_config)?\.json|model.*\.safetensors(\.index\.json)?)$/;

async function of_folder(folder: Folder): Promise<Read> {
  const seen: { readonly file: string; readonly json: unknown; readonly asked: Set<string> }[] = [];
  const config = await load_config(folder, (json, file) => {
    const asked = new Set<string>();
    seen.push({ file, json, asked });
    return is_object(json) ? watched(json, asked) : json;
  });
  const fields = seen.flatMap(({ file, json, asked }) => fields_of(json as JsonObject, asked, () => file));
  const other_files = (await folder.list()).filter((name) => !READ_FILES.test(name)).sort();
  return { config, fields, other_files };
}

const FIXED = new Set(paths_of(fixed_config_json()));

function fields_of(json: JsonObject, asked: ReadonlySet<string>, from: (field: string) => string | null): Field[] {
  const there = paths_of(json);
  const use = (field: string): FieldUse => (!asked.has(field) ? 'ignored' : FIXED.has(field) ? 'fixed' : 'read');
  const absent = [...asked].filter((field) => value_at(json, field) === undefined && field !== BACKBONE);
  return [
    ...there.map((field) => ({ field, value: value_at(json, field), from: from(field), use: use(field) })),
    ...absent.map((field) => ({ field, value: null, from: null, use: 'absent' as const })),
  ];
}

function paths_of(json: JsonObject): string[] {
  return Object.entries(json).flatMap(([key, value]) =>
    key === BACKBONE && is_object(value) ? Object.keys(value).map((inner) => `${key}.${inner}`) : [key],
  );
}

function value_at(json: JsonObject, field: string): unknown {
  const [head = '', ...rest] = field.split('.');
  const inner = head === BACKBONE && rest.length > 0 ? json[head] : undefined;
  if (inner === undefined) return Object.hasOwn(json, field) ? json[field] : undefined;
  const key = rest.join('.');
  return is_object(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined;
}

/** The same object, noting which of its own keys are asked for. */
function watched(json: JsonObject, asked: Set<string>, path = ''): JsonObject {
  return new Proxy(json, {
    getOwnPropertyDescriptor(target, key) {
      asked.add(`${path}${String(key)}`);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      return path === '' && key === BACKBONE && is_object(value) ? watched(value, asked, `${BACKBONE}.`) : value;
    },
  });
}
