import { distinct } from '../lab/captions.ts';
import type { Chart, Figure } from '../lab/charts.ts';
import type { Contrast } from '../lab/contrast.ts';
import { basis_statistics } from '../lab/derive.ts';
import { short_ms, type Table } from '../lab/tables.ts';
import { LEAST_FOR_INTERVAL } from '../lab/words.ts';
import { COUPLED_TIMES, type Coupling, type Knob, main_effects } from './coupling.ts';
import type { E2Files, GridRow } from './e2_files.ts';

const NAMES: Readonly<Record<Knob, string>> = {
  crops: 'Crops',
  top_k: 'Experts a token',
  num_active_blocks: 'Active blocks',
};
/** Which knob is turned, and which is fixed at each of its values: every pair once. */
const SHOWN: readonly (readonly [Knob, Knob])[] = [
  ['top_k', 'crops'],
  ['num_active_blocks', 'crops'],
  ['num_active_blocks', 'top_k'],
];

const total_ms = (row: GridRow): number | null => basis_statistics(row).T_total?.median ?? null;
const notes_of = (rows: readonly GridRow[]): string[] => [
  `median of ${distinct(rows.map((row) => row.samples.length)).join(' or ')} runs; host wall time between fences`,
  'latency alone: quality was not measured',
];
const BARS = `error bars: 95 % interval by bootstrap, from ${LEAST_FOR_INTERVAL} runs on`;

export function e2_figures({ e2_knob_grid_results: grid, e2_coupling_analysis: coupling }: E2Files): Figure[] {
  const rows = grid.configurations;
  const notes = notes_of(rows);
  const figures: Figure[] = [
    {
      name: 'e2_coupling_proof',
      title: 'What turning one knob adds, with another fixed at each of its values',
      notes: [
        ...notes,
        BARS,
        'total latency; knobs that act by themselves give one line; the third knob at its highest',
      ],
      panels: panels(coupling, 'added_ms', 'More than at its lowest (ms)'),
    },
    {
      name: 'e2_coupling_ratio',
      title: 'How many times as long turning one knob makes it, with another fixed',
      notes: [...notes, BARS, 'total latency; effects that multiply give one line; the third knob at its highest'],
      panels: panels(coupling, 'ratio', 'Times as long as at its lowest'),
    },
    {
      name: 'e2_knob_grid',
      title: 'Latency over the grid, and where a sum of effects is wrong',
      notes: [...notes, 'right: measured over what the best sum of one number a value of each knob says'],
      panels: heats(rows),
    },
  ];
  return figures.filter(({ panels }) => panels.length > 0);
}

function panels({ curves }: Coupling, of: 'added_ms' | 'ratio', label: string): Chart[] {
  return SHOWN.flatMap(([knob, fixed]): Chart[] => {
    const some = curves.filter((one) => one.time === 'T_total' && one.knob === knob && one.fixed === fixed);
    if (some.length === 0) return [];
    return [
      {
        kind: 'lines',
        title: `${NAMES[knob]}, by ${NAMES[fixed].toLowerCase()}`,
        x: { label: NAMES[knob] },
        y: { label, from_zero: of === 'added_ms' },
        legend: NAMES[fixed],
        series: some.map(({ at, points }, i) => ({
          name: String(at),
          look: i,
          points: points.map((point) => ({ x: point.value, y: point[of].value, ...ends(point[of]) })),
        })),
      },
    ];
  });
}

/** An interval of medians may lie beside the median itself where runs are few and uneven. */
const ends = ({ value, ci95 }: Contrast) =>
  ci95 === null ? {} : { low: Math.min(ci95[0], value), high: Math.max(ci95[1], value) };

/** With all blocks that were tried: time, and how far a sum of effects, fitted to all cells, is off. */
function heats(rows: readonly GridRow[]): Chart[] {
  const timed = rows.flatMap((row) => total_ms(row) ?? []).length === rows.length ? rows : [];
  const blocks = Math.max(...timed.map((row) => row.num_active_blocks));
  const slice = timed.filter((row) => row.num_active_blocks === blocks);
  const levels = (knob: 'crops' | 'top_k') => [...new Set(slice.map((row) => row[knob]))].sort((a, b) => a - b);
  const [crops, top_k] = [levels('crops'), levels('top_k')];
  if (crops.length < 2 || top_k.length < 2) return [];
  const fitted = main_effects(
    timed,
    timed.map((row) => total_ms(row) as number),
  );
  const map = (title: string, value: string, of: (row: GridRow) => number, middle?: number): Chart => ({
    kind: 'heat',
    title,
    rows: crops.map(String),
    columns: top_k.map(String),
    row_title: NAMES.crops,
    column_title: NAMES.top_k,
    values: crops.map((c) =>
      top_k.map((k) => {
        const row = slice.find((one) => one.crops === c && one.top_k === k);
        return row === undefined ? null : of(row);
      }),
    ),
    value,
    written: true,
    ...(middle === undefined ? {} : { middle }),
  });
  return [
    map(`Total latency, ${blocks} blocks`, 'ms', (row) => total_ms(row) as number),
    map(
      'Measured over a sum of effects',
      '% more than the sum',
      (row) => 100 * ((total_ms(row) as number) / (fitted[timed.indexOf(row)] as number) - 1),
      0,
    ),
  ];
}

export function e2_tables({ e2_knob_grid_results: grid, e2_coupling_analysis: coupling }: E2Files): Table[] {
  const text = (name: string) => ({ name, unit: 'text' as const });
  const ms = (name: string) => ({ name, unit: 'ms' as const });
  const counted = (name: string) => ({ name, unit: 'count' as const });
  const [first] = grid.configurations;
  const interval = ({ ci95 }: Contrast, written: (x: number) => string) => ci95?.map(written).join(' to ') ?? null;
  return [
    {
      title: `grid: ${grid.grid.sampling}`,
      columns: [
        counted('crops'),
        counted('top-k'),
        counted('blocks'),
        counted('positions'),
        ms('total'),
        ms('vision'),
        ms('prefill'),
        ms('decode a step'),
      ],
      rows: grid.configurations.map((row) => [
        row.crops,
        row.top_k,
        row.num_active_blocks,
        row.prompt_length,
        ...COUPLED_TIMES.map((time) => basis_statistics(row)[time]?.median ?? null),
      ]),
      note: `Medians of ${first?.samples.length ?? 0} runs. ${first?.scaled ? `Scaled to ${first.scaled.model}.` : 'As measured.'} Quality was not measured.`,
    },
    {
      title: 'two knobs up together, beyond each alone',
      columns: [
        text('knobs'),
        text('of'),
        ms('ms'),
        text('95 % interval'),
        { name: 'of the whole', unit: 'share' },
        { name: 'ratio of ratios', unit: 'number' },
        text('its interval'),
      ],
      rows: coupling.interactions.map((one) => [
        one.knobs.join(' x '),
        one.time,
        one.ms.value,
        interval(one.ms, short_ms),
        one.share,
        one.ratio.value,
        interval(one.ratio, (x) => x.toFixed(3)),
      ]),
      note: '0 ms: their effects add up. A ratio of 1: they multiply.',
    },
    {
      title: 'a number for each value of each knob',
      columns: [
        text('of'),
        text('model'),
        counted('cells'),
        counted('parameters'),
        { name: 'R squared', unit: 'number' },
        { name: 'at worst', unit: 'share' },
      ],
      rows: coupling.models.map((one) => [
        one.time,
        one.model,
        one.cells,
        one.parameters,
        one.r_squared,
        one.worst_off,
      ]),
    },
  ];
}
