import { compact } from '../lab/captions.ts';
import type { Chart, Figure } from '../lab/charts.ts';
import { percentile, percentile_name } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import {
  amount_at,
  is_object,
  notes_of,
  nothing_in,
  object_of,
  type Row,
  rows_of,
  type StudyFile,
  time_at,
} from './file.ts';
import { prompt_pieces } from './panels.ts';

/** More values than a picture shows apart are drawn as so many of them, evenly by rank. */
const MOST = { histogram: 20_000, cdf: 2_000 } as const;

function by_rank(sorted: readonly number[], most: number): number[] {
  if (sorted.length <= most) return [...sorted];
  return Array.from({ length: most }, (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (most - 1))] as number);
}

/** exp1_latency_distribution.json: one prompt pass a sample. Nothing is generated in it, whatever "end to end" says. */
export function latency_distribution(file: StudyFile): Figure[] {
  const rows = rows_of(file, object_of(file).results, 'results');
  const values = rows.flatMap((row) => time_at(file, row, 'T_total') ?? []).toSorted((a, b) => a - b);
  if (values.length === 0) throw nothing_in(file, 'T_total');
  const guides = [50, 95, 99].map((q) => {
    const at = percentile(values, q);
    return { axis: 'x' as const, at, label: `${percentile_name(q, values.length)}: ${compact(at)} ms` };
  });
  const figure = (shape: keyof typeof MOST): Figure => {
    const drawn = by_rank(values, MOST[shape]);
    const thinned = drawn.length < values.length ? `, drawn as ${drawn.length} of them evenly by rank` : '';
    return {
      name: `${file.stem}_${shape}`,
      title: 'Latency of a prompt pass',
      notes: notes_of(file, `${values.length} samples, one run each, no token generated${thinned}`),
      panels: [
        {
          kind: 'distribution',
          shape,
          value: { label: 'Latency (ms)' },
          groups: [{ name: 'T_total', look: 0, values: drawn }],
          guides,
        },
      ],
    };
  };
  return [figure('histogram'), figure('cdf')];
}

const PARAMETERS = [
  ['vision_encoder', 'vision encoder', 'params_vision_encoder'],
  ['projector', 'projector', 'params_projector'],
  ['prefill', 'language model', 'params_llm'],
] as const;

/** exp2_component_profiling.json: parameters, and mean times of a prompt pass. */
export function component_profiling(file: StudyFile): Figure[] {
  const whole = object_of(file);
  const rows = rows_of(file, whole.results, 'results');
  const held = (key: string): Row => ({ at: key, value: is_object(whole[key]) ? whole[key] : {} });
  const parameters = PARAMETERS.flatMap(([look, name, key]) => {
    const value = amount_at(file, held('parameters'), key);
    return value ? [{ look, name, value }] : [];
  });
  const averages = held('average_latencies');
  const pieces = prompt_pieces(file, rows).flatMap(({ look, name, key, values }) => {
    const value = time_at(file, averages, key) || mean(values?.flatMap((one) => one ?? []) ?? []);
    return value > 0 ? [{ look, name, value }] : [];
  });
  const pie = (name: string, title: string, what: string, slices: typeof pieces, unit: string): Figure[] => {
    const total = slices.reduce((sum, { value }) => sum + value, 0);
    const panels: Chart[] = [{ kind: 'pie', slices, total: `${compact(total)}${unit}` }];
    return total > 0 ? [{ name: `${file.stem}_${name}`, title, notes: notes_of(file, what), panels }] : [];
  };
  const figures = [
    ...pie('parameters', 'Parameters by component', 'parameters as the file counts them', parameters, ''),
    ...pie('latency', 'Time of a prompt pass by component', `means of ${rows.length} samples`, pieces, ' ms'),
  ];
  if (figures.length === 0) throw nothing_in(file, 'parameters or times of components');
  return figures;
}
