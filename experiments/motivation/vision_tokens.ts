import { z } from 'zod';
import { geometry_of } from '../../engine/model/geometry.ts';
import { define } from '../lab/define.ts';
import { grows, grows_linearly, not_faster_than } from '../lab/findings.ts';
import { rings, rings_of_tiling, type Subject } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, whole } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { line_over } from '../lab/typical.ts';
import { vision_tokens_figures, vision_tokens_tables } from './vision_tokens_figures.ts';
import { slopes_of, vision_tokens_row, vision_tokens_shape, WIDTHS, type Widths } from './vision_tokens_file.ts';

/** Prefill is one pass over the prompt: what does it cost to put more of a picture into it? */
export const motivation_exp3 = define({
  name: 'motivation-exp3',
  aliases: ['exp3_vision_tokens_vs_latency', 'vision-tokens'],
  group: 'motivation',
  title: 'Motivation 3: vision tokens and the latency of a prompt',
  question: 'What does each vision token add to the time to first token, and in which component?',
  options: {
    maxGridSize: described(
      whole(1, 100).optional(),
      'pictures of one row of 1 to so many tiles; as many as the model takes when left out',
      { aliases: ['max_grid_size'] },
    ),
    widths: described(
      z.enum(WIDTHS).default('tiles'),
      'tiles: as wide as k tiles really are (224k+112); study: the other rule of the study (336k), which gives other tilings',
    ),
  },
  sweeps: ['image', 'answer'],
  instrument: latency,
  quick: { options: { maxGridSize: 3 }, repeats: { runs: 2 } },
  order: { widths: WIDTHS },
  cells: (on, { maxGridSize, widths }) =>
    Array.from({ length: maxGridSize ?? on.config.max_crops }, (_, i) => cell(on, i + 1, widths)),
  files: { exp3_vision_tokens_vs_latency: vision_tokens_shape },
  derive: ({ configurations }) => {
    const results = configurations.map(vision_tokens_row);
    // Several widths of the study's rule give one tiling: each number of tokens once.
    const numbers = configurations.map(({ tokens }) => tokens.inserted_vision_tokens);
    const by_tokens = configurations.flatMap((one, i) => {
      const x = one.tokens.inserted_vision_tokens;
      return numbers.indexOf(x) === i ? [{ x, one }] : [];
    });
    const per_crop = line_over(configurations, 'vision_encoder', ({ num_crops }) => num_crops);
    const tokens = 'inserted vision tokens';
    return {
      exp3_vision_tokens_vs_latency: {
        results,
        cost_per_vision_token: slopes_of(results),
        vision_encoder_per_crop: per_crop,
        findings: [
          grows('Prefill never falls while vision tokens rise', 'T_LLM_prefill', by_tokens, tokens),
          not_faster_than('Latency grows more slowly than the vision tokens', 'T_total', by_tokens, 1),
          grows_linearly('Each crop costs the vision encoder the same', per_crop, 'crop'),
        ],
      },
    };
  },
  figures: ({ exp3_vision_tokens_vs_latency: file }) => vision_tokens_figures(file),
  tables: ({ exp3_vision_tokens_vs_latency: file }) => vision_tokens_tables(file),
  findings: ({ exp3_vision_tokens_vs_latency: { findings } }) => findings,
});

function cell(on: Subject, k: number, widths: Widths) {
  const fallback = { prompt: 'Describe this image.' };
  if (widths === 'study') {
    const { crop_px } = geometry_of(on.config);
    return cell_of(on, { k, widths }, { image: rings(crop_px * k, crop_px), new_tokens: 0 }, fallback);
  }
  const tiling = [1, k] as const;
  return cell_of(on, { k }, { image: rings_of_tiling(on.config, tiling), tiling, new_tokens: 0 }, fallback);
}
