import type { TimelineReport } from '../../engine/gpu/timeline.ts';
import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import type { Molmoe } from '../../engine/node/load.ts';
import { commit, dirty, version } from '../build.ts';
import { rates, type Seen } from './generate_text.ts';

const PLAIN_CLOCK = 'wall time between fences';
const STAMPED_CLOCK = 'wall time between fences of a run whose passes were stamped, which is slower than a plain one';

/** What made the numbers: build, adapter, model. */
function head(model: Molmoe) {
  const { executor, weights } = model.engine;
  const { config, ...facts } = model.facts;
  return {
    version,
    commit,
    dirty,
    adapter: executor.device.facts,
    backend: model.adapter.backend,
    toggles: model.adapter.toggles,
    mode: executor.device.mode,
    variant: executor.variant,
    tuning: model.tuning,
    chosen: model.chosen,
    model: { ...facts, layers: config.n_layers, experts: config.n_experts, load: weights.report },
  };
}

const request_record = (request: GenerateRequest) => ({
  ...request,
  image: request.image && { width: request.image.width, height: request.image.height },
  signal: undefined,
});

/** For a trace, which is read far from where it was made: the same without what was generated. */
export function provenance(model: Molmoe, request: GenerateRequest, { timing, clock }: TimelineReport) {
  const { load, ...facts } = head(model).model;
  return {
    ...head(model),
    model: facts,
    request: request_record(request),
    timing,
    clock,
    date: new Date().toISOString(),
  };
}

/** Everything a reader needs to judge the numbers. */
export function report(model: Molmoe, request: GenerateRequest, result: GenerateResult, notes: readonly string[]) {
  const { ledger, timeline, warnings, ...rest } = result;
  return {
    schema: 'molmoe.generate/1',
    ...head(model),
    request: request_record(request),
    clock: timeline === undefined ? PLAIN_CLOCK : STAMPED_CLOCK,
    timing: timeline?.timing ?? 'off',
    ...rest,
    rates: rates(result),
    timeline: timeline && {
      ...timeline,
      spans: timeline.spans.map(({ first, ...times }) => ({ ...first.tag, kernel: first.kernel.name, ...times })),
    },
    ledger: ledger.rows(),
    warnings: [...notes, ...warnings],
  };
}

/** As much of the report as there is when the answer was cut short. */
export const interrupted_report = (model: Molmoe, request: GenerateRequest, seen: Seen) => ({
  schema: 'molmoe.generate/1',
  ...head(model),
  request: request_record(request),
  finish: 'interrupted',
  text: seen.text,
  tokens: seen.ids,
  first_token_ms: seen.first_ms ?? null,
  elapsed_ms: seen.elapsed_ms,
});
