import { imbalance } from '../../engine/model/routing.ts';
import { floors_of } from '../../experiments/lab/conduct.ts';
import { digest_of } from '../../experiments/lab/fingerprint.ts';
import { asked_digest, type NamedRequest } from '../../experiments/lab/inputs.ts';
import { latency } from '../../experiments/lab/instruments.ts';
import { page_configuration } from '../../experiments/lab/report/page_data.ts';
import { type Configuration, PARTS, type Protocol, type Run, STAGES } from '../../experiments/lab/schema.ts';
import type { AskRequest, InsideView } from '../protocol.ts';
import { request_of, routing } from './ask.ts';
import type { Session, Tell } from './session.ts';

const PROTOCOL: Protocol = {
  batch: 1,
  warmup: 0,
  runs: 1,
  instrumented: 1,
  order: 'fixed',
  order_seed: null,
  method: 'direct',
  tokens_per_readback: 1,
};

/** The request once plain and once with a stamp around every kernel, as a cell of an experiment: the report's sections draw it. */
export async function inside(
  session: Session,
  asked: AskRequest,
  floors: boolean,
  tell: Tell,
  signal: AbortSignal,
): Promise<InsideView> {
  const { engine } = session.loaded;
  const ceilings = floors ? await session.ceilings(tell, signal) : session.known_ceilings;
  const { config, dtype } = engine.facts;
  const run = await run_of(session, 'live', PROTOCOL, ceilings);
  const one: NamedRequest = {
    id: 'only',
    request: request_of(asked, signal),
    image: asked.picture?.name ?? null,
  };
  const started = new Date().toISOString();
  const { like: _, ...observed } = await latency.observe(engine, [one], PROTOCOL, {
    floor_of: floors_of(ceilings, config, dtype, asked.knobs),
    on_run: () => undefined,
    signal,
  });
  const chosen = await routing(session.loaded, { ...asked, max_new_tokens: 0 }, signal);
  const pairs = chosen.layers.map(({ layer, picture, text }) => ({
    layer,
    pairs: picture.map((count, i) => count + (text[i] as number)),
  }));
  const configuration: Configuration = {
    schema: 'molmoe.configuration/2',
    experiment: run.experiment,
    key: 'this-request',
    run: run.run,
    settings: {},
    knobs: { ...asked.knobs },
    asked: asked_digest([one]),
    started,
    ended: new Date().toISOString(),
    ...observed,
    scaled: null,
    routing: { layers: pairs, imbalance: imbalance(pairs.map((row) => row.pairs)) ?? 0 },
  };
  return {
    one: page_configuration(configuration),
    data: {
      experiment: { name: 'live', title: '', question: '', group: '' },
      run,
      stages: STAGES,
      parts: PARTS,
      configurations: [],
      cells: 1,
      ended: configuration.ended,
      skipped: [],
      failed: [],
      warnings: [],
      findings: [],
      figures: [],
      tables: [],
      files: [],
    },
  };
}

export async function run_of(
  session: Session,
  experiment: string,
  protocol: Protocol,
  ceilings: Run['ceilings'],
): Promise<Run> {
  const fingerprint = { provenance: await session.provenance(), protocol, knobs: {} };
  const started = new Date().toISOString();
  return { schema: 'molmoe.run/1', experiment, fingerprint, run: digest_of(fingerprint), started, ceilings };
}
