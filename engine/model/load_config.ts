import { InputError } from '../errors.ts';
import type { Folder } from '../weights/source.ts';
import { parse_strict_json } from '../weights/strict_json.ts';
import { shown } from '../weights/text.ts';
import { type ModelConfig, parse_config } from './config.ts';
import { geometry_of } from './geometry.ts';

const CONFIG = 'config.json';
const PREPROCESSOR = 'preprocessor_config.json';

/**
 * Reads a folder's config.json, and preprocessor_config.json where there is one. `look` sees each before it is checked, and
 * what it returns is checked in its place.
 */
export async function load_config(
  folder: Folder,
  look: (json: unknown, file: string) => unknown = (json) => json,
): Promise<ModelConfig> {
  const read = async (name: string): Promise<unknown> => {
    const text = await folder.text(name, 2 ** 20);
    parse_strict_json(text, `${folder.label}/${name}`); // refuses what is no JSON, and a repeated key, of which JSON.parse keeps the last
    return look(JSON.parse(text), name);
  };
  const config = parse_config(await read(CONFIG), `${folder.label}/${CONFIG}`);
  if (!(await folder.list()).includes(PREPROCESSOR)) return config;
  return with_preprocessor(config, await read(PREPROCESSOR), `${folder.label}/${PREPROCESSOR}`);
}

/** The colours that the processor subtracts and divides by; all else that it says must be what the config says. */
function with_preprocessor(config: ModelConfig, json: unknown, where: string): ModelConfig {
  const fail = (field: string, expected: string, found: unknown): never => {
    throw new InputError(`${where}: ${field}: expected ${expected}, found ${shown(found)}; correct the file`);
  };
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return fail('the file', 'a JSON object', json);
  const get = (field: string): unknown =>
    Object.hasOwn(json, field) ? (json as Record<string, unknown>)[field] : null;
  const { crop_px, patch_px, cells_per_side, margins } = geometry_of(config);
  const agreed: readonly (readonly [field: string, value: unknown])[] = [
    ['base_image_input_size', [crop_px, crop_px]],
    ['image_patch_size', patch_px],
    ['image_token_length_h', cells_per_side],
    ['image_token_length_w', cells_per_side],
    ['overlap_margins', margins],
    ['max_crops', config.max_crops],
    ['do_normalize', true],
    ['image_padding_mask', true],
  ];
  for (const [field, value] of agreed) {
    const found = get(field);
    if (found !== null && JSON.stringify(found) !== JSON.stringify(value)) {
      fail(field, `${JSON.stringify(value)} (as ${CONFIG} has it) or null`, found);
    }
  }
  const colour = <T>(field: string, fallback: T, least: number): T => {
    const found = get(field);
    if (found === null) return fallback;
    const sound = (x: unknown) => typeof x === 'number' && Number.isFinite(x) && x >= least && x <= 1000;
    if (Array.isArray(found) && found.length === 3 && found.every(sound)) return Object.freeze(found) as T;
    return fail(field, `three numbers from ${least} to 1000`, found);
  };
  return Object.freeze({
    ...config,
    image_mean: colour('image_mean', config.image_mean, -1000),
    image_std: colour('image_std', config.image_std, 1e-6),
  });
}
