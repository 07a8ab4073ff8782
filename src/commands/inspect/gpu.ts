import type { Picture } from '../../../engine/input/pictures.ts';
import type { GenerateRequest } from '../../../engine/molmoe.ts';
import { type KnownModel, Molmoe } from '../../../engine/node/load.ts';
import { check_request } from '../../../engine/request.ts';
import { interruptible } from '../../options.ts';
import { progress } from '../../print.ts';
import { type AdapterFlags, load_options, type ModelFlags } from '../flags.ts';
import type { AskedPicture } from './input.ts';
import { introduce } from './show.ts';

export interface GpuFlags extends AdapterFlags, ModelFlags {
  readonly json?: boolean;
}

/** A picture's pixels: the file's, or those that `make` gives in its size. */
export const pixels = (
  picture: AskedPicture | undefined,
  make: (width: number, height: number) => Picture,
): Picture | undefined => picture && (picture.file ?? make(picture.width, picture.height));

/** Loads the model once the request is known to be one that it can run, and lets it go when `use` is done. */
export async function with_loaded<T>(
  flags: GpuFlags,
  debug: boolean,
  request_of: (signal: AbortSignal) => GenerateRequest,
  check: (known: KnownModel) => void,
  use: (model: Molmoe, request: GenerateRequest) => Promise<T>,
): Promise<T> {
  const signal = interruptible();
  const request = request_of(signal);
  const bar = progress('loading weights');
  const model = await Molmoe.load({
    ...load_options(flags, debug),
    on_model: (known) => {
      check_request(request, known.config, known.tokenizer);
      check(known);
    },
    on_progress: bar.update,
    signal,
  }).finally(bar.end);
  try {
    if (!flags.json) introduce(model);
    return await use(model, request);
  } finally {
    model.close();
  }
}
