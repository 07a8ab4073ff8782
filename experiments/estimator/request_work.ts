import { type DryMachine, type DryModel, dry_model } from '../../engine/dry_run.ts';
import { cell_rows, vision_counts } from '../../engine/input/layout.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { type Knobs, plan_blocks, plan_pictures } from '../../engine/model/knobs.ts';
import { check_length } from '../../engine/model/sequences.ts';
import { crop_choice } from '../../engine/request.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import type { Asked } from './estimator.ts';
import type { Quantities } from './example.ts';
import { type StageWork, work_of } from './work.ts';

/** A request by its sizes alone. */
export interface Sizes {
  /** null: no picture. */
  readonly picture: { readonly width: number; readonly height: number } | null;
  readonly text_tokens: number;
  readonly new_tokens: number;
  readonly knobs: Knobs;
}

export interface Counted extends Asked {
  readonly quantities: Quantities;
  readonly tiling: readonly [number, number] | null;
  readonly vision_tokens: number;
}

/** How long its prompt is and how many crops the encoder sees; refuses what the model cannot take. */
export function sizes_of(config: ModelConfig, { picture, text_tokens, new_tokens, knobs }: Sizes) {
  const geometry = geometry_of(config);
  const choice = crop_choice(knobs, config);
  const cut = picture && choose_tiling(picture.width, picture.height, choice, geometry);
  const counts = cut && vision_counts(cut, geometry);
  const positions = 1 + (counts?.image_tokens ?? 0) + text_tokens;
  const plan = plan_blocks(config, knobs);
  plan_pictures(config, knobs);
  check_length(config, positions, new_tokens);
  const ran = plan.filter((k) => k > 0);
  const quantities: Quantities = {
    views: cut === null ? 0 : cut.rows * cut.cols + 1,
    positions,
    steps: Math.max(0, new_tokens - 1),
    top_k: ran.length === 0 ? 0 : ran.reduce((sum, k) => sum + k, 0) / ran.length,
    blocks: ran.length,
  };
  return {
    quantities,
    tiling: cut && ([cut.rows, cut.cols] as const),
    vision_tokens: counts?.inserted_cells ?? 0,
  };
}

/** Steps of a longer answer are counted at so many places and between them by lines, which they follow: a second, not ten. */
const MOST_STEPS = 256;
const PLACES = 16;

/** Its exact work on a machine that need not be there. */
export async function count_request(
  config: ModelConfig,
  dtype: WeightFormat,
  machine: DryMachine,
  request: Sizes,
): Promise<Counted> {
  sizes_of(config, request); // what the model cannot take is refused before it is made
  return count_with(await dry_model(config, dtype, machine), config, request);
}

/** The same on a model that is there already; one request at a time. */
export async function count_with(model: DryModel, config: ModelConfig, request: Sizes): Promise<Counted> {
  const sizes = sizes_of(config, request);
  const { positions, views, steps } = sizes.quantities;
  const { knobs } = request;
  const [rows, cols] = sizes.tiling ?? [0, 0];
  // Where the picture's cells lie matters only to tokens that take other numbers of experts.
  const asks = sizes.tiling !== null && knobs.topKVision !== undefined;
  const index = asks ? cell_rows({ rows, cols }, geometry_of(config)) : undefined;
  const is_long = steps > MOST_STEPS;
  const maxNewTokens = is_long ? 1 : request.new_tokens;
  const { ledger } = await model.run({ prompt_tokens: positions, views, maxNewTokens, knobs, index });
  const work = work_of(ledger.rows());
  return {
    ...sizes,
    steps,
    work: is_long ? { ...work, decode: await long_decode(model, sizes.quantities, knobs) } : work,
  };
}

async function long_decode(model: DryModel, { positions, steps }: Quantities, knobs: Knobs): Promise<StageWork> {
  const places = Array.from({ length: PLACES + 1 }, (_, i) => Math.round((i * (steps - 1)) / PLACES));
  const counted: StageWork[] = [];
  for (const step of places) {
    let tokens = 0;
    // A cache of the whole answer's length, of which one step is made: how attention is split goes by it.
    const request = { prompt_tokens: positions + step, views: 0, maxNewTokens: steps + 1 - step, knobs };
    const { ledger } = await model.run({ ...request, until: () => ++tokens > 1 });
    counted.push(work_of(ledger.rows()).decode ?? {});
  }
  const families = [...new Set(counted.flatMap((work) => Object.keys(work)))] as (keyof StageWork)[];
  const sum = (family: keyof StageWork, of: 0 | 1 | 2): number =>
    counted.reduce((total, work, i) => {
      const [here, next] = [work, counted[i + 1]].map((one) => one?.[family]?.[of] ?? 0) as [number, number];
      const count = (places[i + 1] ?? steps) - (places[i] as number);
      return total + count * here + (i < PLACES ? ((next - here) * (count - 1)) / 2 : 0);
    }, 0);
  return Object.fromEntries(families.map((family) => [family, [sum(family, 0), sum(family, 1), sum(family, 2)]]));
}
