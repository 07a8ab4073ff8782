import type { Executor } from './gpu/executor.ts';
import type { Ledger } from './meter/ledger.ts';
import type { RunOptions, StageResult } from './model_request.ts';

/** Wall times of a request's stages, and of the whole without the time that its caller takes. */
export interface StageClock {
  readonly stages: readonly StageResult[];
  /** Runs a stage to the end of its work on the GPU. */
  readonly time: <T>(stage: StageResult['stage'], run: () => Promise<T>) => Promise<T>;
  /** A stage that is timed by parts begins. */
  readonly begin: (stage: StageResult['stage']) => void;
  /** Adds a stage that was timed by parts. */
  readonly add: (stage: StageResult['stage'], started_ms: number, wall_ms: number) => void;
  /** The caller has had the turn since then: that counts for nothing. */
  readonly came_back: (left_ms: number) => void;
  readonly total_ms: () => number;
}

export function start_clock(
  executor: Executor,
  ledger: Ledger,
  { signal, onStage }: Pick<RunOptions, 'signal' | 'onStage'>,
): StageClock {
  const begun_ms = performance.now();
  const stages: StageResult[] = [];
  let away_ms = 0;
  const add: StageClock['add'] = (stage, started_ms, wall_ms) => {
    stages.push({ stage, started_ms, wall_ms, ...ledger.sum((row) => row.stage === stage) });
    onStage?.(stage, wall_ms);
  };
  return {
    stages,
    async time(stage, run) {
      signal?.throwIfAborted();
      onStage?.(stage, undefined);
      const started_ms = performance.now();
      const result = await run();
      await executor.finish();
      add(stage, started_ms, performance.now() - started_ms);
      return result;
    },
    begin: (stage) => onStage?.(stage, undefined),
    add,
    came_back: (left_ms) => {
      away_ms += performance.now() - left_ms;
    },
    total_ms: () => performance.now() - begun_ms - away_ms,
  };
}
