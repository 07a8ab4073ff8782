import type { CurvePoint } from '../estimator/curves.ts';
import { PHASES } from '../estimator/evaluate.ts';
import { METHODS, type MethodName } from '../estimator/methods.ts';
import type { Bar, Chart, Figure, Look, Point, Series } from '../lab/charts.ts';
import type { Column, Table } from '../lab/tables.ts';
import type { E3Files } from './e3_files.ts';
import { PHASE_NAMES } from './e3_findings.ts';

const NAMES: Readonly<Record<MethodName, string>> = {
  estimator: 'estimator',
  roofline: 'roofline × one number',
  linear: 'linear in tokens',
  polynomial: 'polynomial of degree 2',
  network: 'the study’s network',
  network_total: 'the network’s own total',
};
const name_of = (method: string): string => NAMES[method as MethodName] ?? method;

export function e3_figures(files: E3Files): Figure[] {
  return [errors_over_samples(files), predicted_vs_actual(files), guardrails(files)].filter(
    ({ panels }) => panels.length > 0,
  );
}

/** What each phase looks like wherever it is drawn. */
const PHASE_LOOK: Readonly<Record<(typeof PHASES)[number], Look>> = {
  vision_encoder: 'vision_encoder',
  projector: 'projector',
  prefill: 'prefill',
  decode_per_token: 'decode',
  total: 5,
};

function predicted_vs_actual({ e3_calibration_results: { points } }: E3Files): Figure {
  const axes = (what: string) => ({
    x: { label: `Measured ${what} (ms)`, scale: 'log' as const },
    y: { label: `Predicted ${what} (ms)`, scale: 'log' as const },
  });
  const panel = (title: string, what: string, phases: readonly (typeof PHASES)[number][], bars: boolean): Chart[] => {
    const some = points.filter(({ phase, measured_ms, predicted_ms }) => {
      return phases.includes(phase) && measured_ms > 0 && predicted_ms > 0;
    });
    if (some.length === 0) return [];
    const all = some.flatMap(({ measured_ms, predicted_ms }) => [measured_ms, predicted_ms]);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const series = phases.flatMap((phase): Series[] => {
      const of_phase = some.filter((point) => point.phase === phase);
      const to_point = ({ measured_ms: x, predicted_ms: y, low_ms, high_ms }: (typeof some)[number]): Point => ({
        ...{ x, y },
        ...(bars && low_ms !== null && high_ms !== null
          ? { low: Math.min(low_ms, y), high: Math.max(high_ms, y) }
          : {}),
      });
      return of_phase.length === 0
        ? []
        : [{ name: PHASE_NAMES[phase], look: PHASE_LOOK[phase], points: of_phase.map(to_point) }];
    });
    const equal = {
      label: 'equal',
      points: [
        [low, low],
        [high, high],
      ] as [number, number][],
    };
    return [{ kind: 'scatter', title, ...axes(what), series, roofs: [equal] }];
  };
  return {
    name: 'e3_predicted_vs_actual',
    title: 'Predicted and measured, each configuration without its fold of ten',
    notes: [`${new Set(points.map(({ key }) => key)).size} configurations; bars: the interval for nine of ten`],
    panels: [
      ...panel('A whole request', 'time', ['total'], true),
      ...panel(
        'Its phases',
        'time',
        PHASES.filter((phase) => phase !== 'total'),
        false,
      ),
    ],
  };
}

/** One look a method in all panels. */
const CURVES = [...METHODS, 'estimator alone', 'network A', 'network B', 'network C', 'estimator by chance'];

/** A line a method. */
function error_lines(curves: readonly CurvePoint[]): Series[] {
  const names = [...new Set(curves.map(({ method, choice }) => `${method}|${choice === 'random' ? 'random' : ''}`))];
  return names.flatMap((name): Series[] => {
    const [method, random] = name.split('|') as [string, string];
    const points = curves.flatMap((one): Point[] => {
      const score = one.scores.total;
      const ours = one.method === method && (one.choice === 'random') === (random !== '');
      return ours && score && score.MAPE > 0 ? [{ x: one.N, y: 100 * score.MAPE, n: score.n }] : [];
    });
    const look = CURVES.indexOf(random === '' ? method : `${method} by chance`);
    const label = random === '' ? name_of(method) : `${name_of(method)}, samples by chance`;
    return points.length === 0 ? [] : [{ name: label, look, points, hollow: random !== '' }];
  });
}

const ERROR = { label: 'Mean error of the total (%)', scale: 'log' as const };
/** What is asked of a total. */
const ASKED = { axis: 'y' as const, at: 7, label: '7 %' };

function errors_over_samples({ e3_transfer_curves: { curves, adapters } }: E3Files): Figure {
  const panels: Chart[] = [];
  if (curves.length > 0) {
    const x = { label: 'Samples to fit', from_zero: true };
    const title = 'On this adapter alone';
    panels.push({ kind: 'lines', title, x, y: ERROR, series: error_lines(curves), guides: [ASKED] });
  }
  for (const { from, curves: brought } of adapters.slice(0, 2)) {
    if (brought.length === 0) continue;
    const x = { label: 'Samples of this adapter', from_zero: true };
    const title = `Learnt first from ${from.replace(/ \(.*/, '')}`;
    panels.push({ kind: 'lines', title, x, y: ERROR, series: error_lines(brought), guides: [ASKED] });
  }
  return {
    name: 'e3_prediction_error_vs_samples',
    title: 'How many samples a prediction needs',
    notes: ['errors on samples that were left out, of three draws; samples to fit are those that say most'],
    panels,
  };
}

function guardrails({ e3_guardrail_analysis: { rows } }: E3Files): Figure {
  const bars = rows.map((row): Bar => {
    const rightly = row.kept - row.false_accepts;
    const left_out = row.n - row.kept - row.false_rejects;
    const parts: [string, Look, number][] = [
      ['kept, and within the budget', 2, rightly],
      ['kept, and longer than it', 3, row.false_accepts],
      ['left out, though within it', 1, row.false_rejects],
      ['left out, and longer', 7, left_out],
    ];
    return {
      label: [`${Math.round(100 * row.fraction)} %`, row.rule],
      segments: parts.flatMap(([name, look, value]) => (value > 0 ? [{ name, look, value, note: String(value) }] : [])),
    };
  });
  const panel: Chart = {
    kind: 'stack',
    categories: 'Budget and rule',
    lines: ['budget', 'rule'],
    bars,
    value: { label: 'Configurations' },
    lying: true,
  };
  return {
    name: 'e3_guardrail_effectiveness',
    title: 'Which configurations a guard keeps',
    notes: [
      'a budget is a share of what the slowest configuration with the same picture takes; a rule keeps what it puts within',
    ],
    panels: bars.length > 0 ? [panel] : [],
  };
}

const text = (name: string): Column => ({ name, unit: 'text' });
const share = (name: string): Column => ({ name, unit: 'share' });
const counted = (name: string): Column => ({ name, unit: 'count' });

export function e3_tables({
  e3_calibration_results: calibration,
  e3_transfer_curves,
  e3_guardrail_analysis,
}: E3Files): Table[] {
  const { held_out, held_out_levels, coverage } = calibration;
  const tables: Table[] = [
    {
      title: 'mean error on configurations that were left out',
      columns: [
        text('method'),
        ...PHASES.map((phase) => share(PHASE_NAMES[phase])),
        share('P90, total'),
        share('P95, total'),
        { name: 'rank, total', unit: 'number' },
      ],
      rows: METHODS.flatMap((method) => {
        const scores = held_out[method];
        if (scores === undefined) return [];
        const { P90 = null, P95 = null, spearman = null } = scores.total ?? {};
        return [[name_of(method), ...PHASES.map((phase) => scores[phase]?.MAPE ?? null), P90, P95, spearman]];
      }),
      note: `${calibration.samples} configurations, ten folds; errors as shares of the median of the plain runs, as measured on what ran.`,
    },
    {
      title: 'mean error of the total on levels that were left out',
      columns: [
        text('knob'),
        text('levels'),
        ...METHODS.filter((name) => name !== 'network_total').map((name) => share(name_of(name))),
      ],
      rows: held_out_levels.map(({ knob, levels, scores }) => [
        knob,
        levels.join(', '),
        ...METHODS.filter((name) => name !== 'network_total').map((name) => scores[name]?.total?.MAPE ?? null),
      ]),
    },
    {
      title: 'intervals for nine of ten',
      columns: [text('phase'), counted('inside'), counted('of'), share('mean width')],
      rows: coverage.map(({ phase, inside, n, mean_width }) => [phase, inside, n, mean_width]),
    },
    {
      title: 'mean error over the samples to fit',
      columns: [
        text('from'),
        counted('samples'),
        text('method'),
        text('chosen'),
        ...PHASES.map((phase) => share(PHASE_NAMES[phase])),
      ],
      rows: [{ from: 'here', curves: e3_transfer_curves.curves }, ...e3_transfer_curves.adapters].flatMap(
        ({ from, curves }) =>
          curves.map(({ N, method, choice, scores }) => [
            from,
            N,
            name_of(method),
            choice,
            ...PHASES.map((phase) => scores[phase]?.MAPE ?? null),
          ]),
      ),
      note: untested(e3_transfer_curves),
    },
    {
      title: 'guard',
      columns: [
        share('budget'),
        text('rule'),
        counted('kept'),
        counted('of'),
        counted('kept wrongly'),
        counted('left out wrongly'),
      ],
      rows: e3_guardrail_analysis.rows.map((row) => [
        row.fraction,
        row.rule,
        row.kept,
        row.n,
        row.false_accepts,
        row.false_rejects,
      ]),
    },
  ];
  return tables.filter(({ rows }) => rows.length > 0);
}

function untested({ not_tested }: E3Files['e3_transfer_curves']): string | undefined {
  return not_tested.length === 0
    ? undefined
    : `Not tested: ${not_tested.map(({ N, because }) => `${N} (${because})`).join('; ')}.`;
}
