import { aligned } from './table.ts';

/** What was wanted of a number before it was measured, and what came out. */
export interface Target {
  readonly what: string;
  readonly unit: string;
  readonly value?: number;
  /** Why there is no value. */
  readonly reason?: string;
  readonly least?: number;
  readonly goal?: number;
  /** Times and counts: less is better. */
  readonly fewer?: boolean;
}

/** GPUs that limits in TFLOP/s, ms and tokens/s are meant for. */
export const H100_CLASS = /h[12]00/i;

/** With a goal and no least, anything short of the goal is a miss. */
export function verdict_of({ value, least, goal, fewer }: Target) {
  if (value === undefined) return 'not measured';
  const reached = (limit: number) => (fewer ? value <= limit : value >= limit);
  if (goal !== undefined && reached(goal)) return 'goal met';
  if (least !== undefined) return reached(least) ? 'least met' : 'MISSED';
  return goal === undefined ? '' : 'MISSED';
}

const HEAD = ['target', 'measured', 'unit', 'least', 'goal', 'verdict'];

export function target_table(targets: readonly Target[]): string[] {
  const number = (x: number | undefined): string => {
    if (x === undefined) return '-';
    return x.toFixed(Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2);
  };
  const rows = targets.map((target) => [
    target.what,
    number(target.value),
    target.unit,
    target.least === undefined ? '-' : String(target.least),
    target.goal === undefined ? '-' : `${target.fewer ? '<' : ''}${target.goal}`,
    target.reason === undefined ? verdict_of(target) : `${verdict_of(target)}: ${target.reason}`,
  ]);
  return aligned([HEAD, ...rows]);
}

/** Keeps targets, and says each as soon as it is there. */
export const collector =
  (say: (line: string) => void, targets: Target[]) =>
  (...added: Target[]): void => {
    for (const target of added) {
      targets.push(target);
      say(`${target.what}: ${target.reason ?? `${target.value?.toPrecision(4)} ${target.unit}`}`);
    }
  };

/** Misses have their causes in docs/speed.md. */
export function say_targets(say: (line: string) => void, targets: readonly Target[]): void {
  say('== targets');
  for (const line of target_table(targets)) say(line);
  const missed = targets.filter((target) => verdict_of(target) === 'MISSED').length;
  if (missed > 0) say(`${missed} missed: docs/speed.md says why`);
}
