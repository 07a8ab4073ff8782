import { InputError } from './errors.ts';
import type { Stage } from './gpu/executor.ts';
import type { Counts, Ledger } from './meter/ledger.ts';
import type { ModelConfig } from './model/config.ts';
import type { Sampling } from './model/decoder.ts';
import { geometry_of } from './model/geometry.ts';
import type { Knobs } from './model/knobs.ts';
import type { KeptKeys } from './model/sequences.ts';
import type { Crops } from './model/vision.ts';

/** A request as the model sees it: ids, crops, and the prompt row of each pooled cell. */
export interface ModelInput {
  readonly ids: readonly number[];
  readonly crops?: Crops & { readonly index: Int32Array };
}

export interface RunOptions {
  readonly maxNewTokens: number;
  readonly knobs?: Knobs;
  readonly sampling?: Sampling;
  /** Tokens made between two readbacks: more hides the round trip, 1 streams every token. */
  readonly tokensPerReadback?: number;
  /** Runs the ViT blocks whose output nobody reads. */
  readonly keepDeadBlocks?: boolean;
  /** Head and probe at every prompt position instead of the last. */
  readonly allLogits?: boolean;
  /** Ends the request after this stage: nothing is generated. */
  readonly stopAfter?: 'vision_encoder' | 'projector';
  /** Sees each token as it is read; true ends the generation with that token. */
  readonly until?: (id: number) => boolean;
  readonly signal?: AbortSignal;
  /** Hears when a stage begins and, with its wall time, when it has ended. */
  readonly onStage?: (stage: StageResult['stage'], wall_ms: number | undefined) => void;
  /** Keys that an earlier request about the same crops, under the same knobs, left: what begins alike is not computed again. */
  readonly kept?: KeptKeys;
}

/** One stage as it ran: wall time between fences, and exact counts of what was dispatched. */
export interface StageResult extends Counts {
  readonly stage: Exclude<Stage, 'load'>;
  /** On the host's clock (performance.now). */
  readonly started_ms: number;
  readonly wall_ms: number;
}

export interface RunResult {
  readonly stages: readonly StageResult[];
  /** From the first stage's start to the last token on the host, without the time the caller took between tokens. */
  readonly total_ms: number;
  /** Wall time of each decode step, or of each group of steps between two readbacks divided by their number. */
  readonly decode_step_ms: readonly number[];
  readonly ledger: Ledger;
  /** Prompt rows whose keys were kept from an earlier request. */
  readonly kept_rows: number;
  readonly warnings: readonly string[];
}

export interface RunToken {
  readonly id: number;
  readonly index: number;
}

/** What the GPU could not notice: ids and places that lie outside. Looks at no picture: that would take its time of no stage. */
export function check_input(config: ModelConfig, { ids, crops }: ModelInput): void {
  if (ids.length === 0) throw new InputError('expected at least one prompt token, found none');
  const ids_end = config.embedding_size + config.additional_vocab_size;
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= ids_end);
  if (wrong !== undefined) {
    throw new InputError(
      `prompt: expected token ids below ${ids_end}, found ${wrong}; the tokenizer does not fit the model`,
    );
  }
  if (crops === undefined) return;
  const { count, images, masks, index } = crops;
  const { patches, patch_values, cells } = geometry_of(config);
  const wanted = [count * patches * patch_values, count * patches, count * cells];
  if (images.length !== wanted[0] || masks.length !== wanted[1] || index.length !== wanted[2]) {
    throw new InputError(
      `image: expected ${count} crops of ${patches} x ${patch_values} values, ${patches} masks and ${cells} positions, found ${images.length}, ${masks.length} and ${index.length}`,
    );
  }
  const used = index.filter((row) => row >= 0);
  if (used.some((row) => row >= ids.length) || new Set(used).size !== used.length) {
    throw new InputError('image_input_idx: expected distinct positions inside the prompt, found one outside or twice');
  }
}

/** Crops that were not made from bytes may hold anything. */
export function check_finite({ images, masks }: Crops): void {
  if (!images.every(Number.isFinite) || !masks.every(Number.isFinite)) {
    throw new InputError('image: expected finite values, found NaN or infinity');
  }
}
