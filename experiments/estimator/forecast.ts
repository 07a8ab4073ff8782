import { STAGES, type StageName } from '../lab/schema.ts';
import type { Choice } from './choose.ts';
import { type Estimator, type Phase, predict } from './estimator.ts';
import type { Quantities } from './example.ts';
import { type Beyond, beyond } from './hull.ts';
import { type Interval, interval_for } from './interval.ts';
import { label_of } from './model_file.ts';
import type { Counted } from './request_work.ts';

/** What will a request take: every stage and all of it. */
export interface Forecast {
  readonly stages: readonly { readonly stage: StageName; readonly ms: number; readonly interval: Interval | null }[];
  readonly total: { readonly ms: number; readonly interval: Interval | null };
  /** null where nothing is decoded. */
  readonly decode_per_token: { readonly ms: number; readonly interval: Interval | null } | null;
  /** Not measured on this adapter, model and storage, so without intervals. */
  readonly rough: boolean;
  readonly beyond: Beyond | null;
  readonly warnings: readonly string[];
}

/**
 * Left-out samples were measured in the same minutes as the others; what is asked now runs at another hour. The same
 * adapter measured again lay outside up to a tenth: of 42 fresh configurations 34 were inside, 39 with this.
 */
export const ANOTHER_HOUR = 1.05;

const widened = (interval: Interval | null): Interval | null =>
  interval && [interval[0] / ANOTHER_HOUR, interval[1] * ANOTHER_HOUR];

export function forecast(estimator: Estimator, counted: Counted, choice: Choice | undefined, rough: boolean): Forecast {
  const said = predict(estimator.full, estimator.roof, counted);
  const interval = (phase: Phase) => (rough ? null : widened(interval_for(estimator, counted, phase)));
  const stages = STAGES.flatMap((stage) => {
    const ms = said[stage];
    return ms === undefined ? [] : [{ stage, ms, interval: interval(stage) }];
  });
  const decode = stages.find(({ stage }) => stage === 'decode');
  const by_step = (ms: number) => ms / counted.steps;
  const found = choice === undefined ? null : beyond(choice.known.file.samples, counted.quantities);
  const few = !rough && stages.some((one) => one.interval === null);
  return {
    stages,
    total: { ms: said.total, interval: interval('total') },
    decode_per_token: decode
      ? {
          ms: by_step(decode.ms),
          interval: decode.interval && [by_step(decode.interval[0]), by_step(decode.interval[1])],
        }
      : null,
    rough,
    beyond: found,
    warnings: [
      ...(choice === undefined ? [] : choice_warnings(choice)),
      ...(found === null ? [] : beyond_warnings(found)),
      ...(few
        ? ['an interval wants nine samples of its stage that were left out in turn; measure more configurations']
        : []),
    ],
  };
}

/** What a prediction for such a request rests on that it should not. */
export function doubts_of(choice: Choice, quantities: Quantities): string[] {
  const found = beyond(choice.known.file.samples, quantities);
  return [...choice_warnings(choice), ...(found === null ? [] : beyond_warnings(found))];
}

function choice_warnings({ known, nearness, same_dtype, other_host }: Choice): string[] {
  const { provenance } = known.file;
  const measured = `${provenance.model.name} ${provenance.model.dtype}`;
  return [
    ...(nearness === 'other' ? [`measured were products of other widths, of ${measured}: a rough guess`] : []),
    ...(nearness === 'depth'
      ? [`measured was ${measured}, of other depth: blocks are alike, and their number is counted`]
      : []),
    ...(same_dtype ? [] : [`measured were weights stored as ${provenance.model.dtype}: a rough guess`]),
    ...(other_host ? [`measured was ${label_of(provenance)}, another host: a rough guess`] : []),
  ];
}

const NAMES = {
  views: 'views of the picture',
  positions: 'prompt positions',
  steps: 'decode steps',
  top_k: 'experts a token',
  blocks: 'blocks that run',
} as const;

function beyond_warnings({ single, together }: Beyond): string[] {
  const lines = single.map(
    ({ quantity, asked, least, most }) =>
      `${NAMES[quantity]}: ${short(asked)} is beyond what was measured, ${short(least)} to ${short(most)}`,
  );
  return together ? [...lines, 'each number was measured about as it is, all of them together were not'] : lines;
}

const short = (value: number): string => String(Number(value.toFixed(1)));

/** Mean share by which the total of left-out samples was missed; null where none was left out. */
export function left_out_error({ left_out }: Estimator): number | null {
  const errors = left_out.flatMap(({ off }) => (off.total === undefined ? [] : [Math.abs(Math.exp(-off.total) - 1)]));
  return errors.length === 0 ? null : errors.reduce((sum, error) => sum + error, 0) / errors.length;
}
