import { UsageError } from '../../engine/errors.ts';
import { below_floor } from '../../engine/meter/roofline.ts';
import type { Claim } from '../../experiments/claims/claim.ts';
import { CLAIMS } from '../../experiments/claims/index.ts';
import { type PublishedFile, subjects_of } from '../../experiments/claims/subject.ts';
import { verdicts_on } from '../../experiments/claims/verdicts.ts';
import { e1 } from '../../experiments/core/e1.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import type { Protocol } from '../../experiments/lab/schema.ts';
import { moe_topk } from '../../experiments/profiling/moe_topk.ts';
import type { VerdictView } from '../protocol.ts';
import { type Measured, measure } from './measure.ts';
import type { Session, Tell } from './session.ts';
import { faster_than_simple } from './variants.ts';

type Step = (session: Session, tell: Tell, signal: AbortSignal) => Promise<VerdictView>;

/** One claim of the laboratory's own list, decided by its own rule on an experiment that is run here. */
const by_claim =
  (id: string, experiment: Experiment, options: Readonly<Record<string, unknown>>, repeats: Partial<Protocol>): Step =>
  async (session, tell, signal) => {
    const claim = Object.values(CLAIMS)
      .flat()
      .find((one) => one.id === id);
    if (claim === undefined) throw new UsageError(`tour: expected a claim, found none called ${id}`);
    const measured = await measure(session, experiment, options, repeats, tell, signal);
    return verdict_of(claim, measured);
  };

function verdict_of(claim: Claim, { experiment, derived, run }: Measured): VerdictView {
  const files = Object.entries(derived.files).map(([name, body]): PublishedFile => {
    return { experiment: experiment.name, name, path: `this page/${name}.json`, body: body as PublishedFile['body'] };
  });
  const [subject] = subjects_of(files);
  if (subject === undefined) throw new UsageError('tour: expected results, found none');
  const [verdict] = verdicts_on(subject, files, { tour: [claim] });
  if (verdict === undefined) throw new UsageError('tour: expected a verdict, found none');
  const { outcome, sentence, test, source, n } = verdict;
  return {
    outcome,
    sentence,
    test,
    source: `${source.who}: ${source.where}${source.year === null ? '' : `, ${source.year}`}`,
    n,
    notes: notes_on(run.fingerprint.provenance),
  };
}

const notes_on = ({ model }: { readonly model: { readonly weights_kind: string; readonly name: string } }): string[] =>
  model.weights_kind === 'synthetic'
    ? [`${model.name} has synthetic weights: its times are the real ones, what its routers choose is not`]
    : [];

/** Chapter 2: no kernel is faster than the least time that the ceilings, measured here, allow it. */
const no_kernel_beats_its_floor: Step = async (session, tell, signal) => {
  const options = { regime: ['low'], prompt: ['short'], decode: ['short'] };
  const { configurations } = await measure(session, e1, options, { runs: 2, warmup: 1, instrumented: 2 }, tell, signal);
  const rows = configurations.flatMap(({ instrumented }) => instrumented?.kernels ?? []);
  const floored = rows.filter(({ floor_ms }) => floor_ms !== null);
  const beaten = floored.filter(({ gpu_ms, floor_ms }) => below_floor(gpu_ms, floor_ms as number));
  const total = (of: readonly { readonly gpu_ms: number }[]) => of.reduce((sum, { gpu_ms }) => sum + gpu_ms, 0);
  const share = (bound: string) => (100 * total(floored.filter((row) => row.bound === bound))) / total(floored);
  const parts = ['compute', 'memory', 'launch'].map((bound) => `${bound} ${share(bound).toFixed(0)} %`).join(', ');
  return {
    outcome: beaten.length === 0 ? 'confirmed' : 'refuted',
    sentence: `${beaten.length} of ${floored.length} kernels ran faster than their floor; of the GPU time, what sets the floor: ${parts}`,
    test: 'no row of kernels, by stage and part, has a mean time under its floor',
    source: 'chapter 2 of this project',
    n: 2,
    notes: [],
  };
};

/** The chapters' claims, each by a run that is short enough to wait for. */
const STEPS: Readonly<Record<string, Step>> = {
  stages: by_claim(
    'decode-dominates-long',
    e1,
    { regime: ['low'], prompt: ['short'], decode: ['long'] },
    { runs: 4, warmup: 1, instrumented: 0 },
  ),
  roofline: no_kernel_beats_its_floor,
  flops: by_claim(
    'flops-predict-weakly',
    e1,
    { regime: ['low', 'medium'], prompt: ['short'], decode: ['short', 'medium'] },
    { runs: 4, warmup: 1, instrumented: 0 },
  ),
  experts: by_claim('eight-experts-eight-times', moe_topk, {}, { runs: 4, warmup: 1, instrumented: 0 }),
  honesty: by_claim(
    'subtraction-is-robust',
    e1,
    { regime: ['low'], prompt: ['short'], decode: ['short'] },
    { runs: 6, warmup: 1, instrumented: 0, method: 'subtraction' },
  ),
  kernels: faster_than_simple,
};

export async function tour(session: Session, step: string, tell: Tell, signal: AbortSignal): Promise<VerdictView> {
  const run = Object.hasOwn(STEPS, step) ? STEPS[step] : undefined;
  if (run === undefined) throw new UsageError(`tour: expected one of ${Object.keys(STEPS).join(', ')}, found ${step}`);
  return run(session, tell, signal);
}
