import {
  type E1Flops,
  type E1Parts,
  type E1Stages,
  type KernelRow,
  type Protocol,
  STAGES,
  type StageName,
} from '../../experiments/lab/schema.ts';
import { percentile } from '../../experiments/lab/stats.ts';
import { STAGE_TIME } from '../../experiments/lab/times.ts';
import { bold, ms, short_number, table } from '../print.ts';

const MARK = { confirmed: 'confirmed ', refuted: 'refuted   ', 'not tested': 'not tested' } as const;
/** More configurations than this get a line each, and only the last one its table of stages. */
const FEW = 3;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

/** What E1 found, for the terminal. */
export function e1_summary(stages: E1Stages, flops: E1Flops, parts: E1Parts, protocol: Protocol): string {
  const all = stages.configurations;
  const shown = all.length > FEW ? all.slice(-1) : all;
  const sections = [
    ...(all.length > FEW ? [overview(stages)] : []),
    ...shown.map((one) => stage_table(one, flops, parts)),
    scaling(stages),
    correlations(flops),
    ...(protocol.method === 'direct' ? [] : [method_errors(stages, protocol.method)]),
    findings(stages),
  ];
  return sections.join('\n\n');
}

type Row = E1Stages['configurations'][number];

const median_of = (row: Row, stage: StageName): number | undefined => row.statistics[STAGE_TIME[stage]]?.median;

function overview({ configurations }: E1Stages): string {
  const rows = configurations.map((row) => [
    row.key,
    String(row.prompt_length),
    String(row.num_output_tokens),
    ms(row.statistics.T_total?.median ?? 0),
    ...STAGES.map((stage) => percent(row.shares[stage] ?? 0)),
    row.largest_stage,
  ]);
  const names = ['vision', 'projector', 'prefill', 'decode'];
  return table([['configuration', 'prompt', 'new', 'T_total', ...names, 'largest'], ...rows]);
}

/** Plain times beside exact counts; efficiency is floor over GPU time of the instrumented run. */
function stage_table(row: Row, flops: E1Flops, parts: E1Parts): string {
  const timed = parts.configurations.find((one) => one.key === row.key);
  const body = STAGES.flatMap((stage) => {
    const point = flops.points.find((one) => one.key === row.key && one.stage === stage);
    const statistics = row.statistics[STAGE_TIME[stage]];
    if (point === undefined || !statistics) return [];
    const kernels = timed?.kernels.filter((kernel) => kernel.stage === stage) ?? [];
    return [
      [
        stage,
        ms(statistics.median),
        statistics.median_ci95 === null ? '' : `${ms(statistics.median_ci95[0])} to ${ms(statistics.median_ci95[1])}`,
        percent(row.shares[stage] ?? 0),
        short_number(point.flops),
        short_number(point.bytes),
        String(point.dispatches),
        efficiency(kernels),
        timed?.largest_part[stage] ?? '',
      ],
    ];
  });
  const { image_size, tiling, prompt_length, text_tokens, num_output_tokens } = row;
  const image = image_size === null ? 'no image' : `${image_size} as ${tiling?.join('x')} crops and overview`;
  const heading = `${bold(row.key)}: ${image}, ${prompt_length} prompt positions (${text_tokens} of text), ${num_output_tokens} new tokens, n = ${row.samples.length}`;
  const total = row.statistics.T_total;
  const largest_part = timed?.largest_part[row.largest_stage];
  return `${heading}
${table([['stage', 'median wall', '95 % interval', 'share', 'FLOPs', 'bytes', 'launches', 'efficiency', 'largest part'], ...body])}
T_total ${ms(total?.median ?? 0)} (P95 ${ms(total?.P95 ?? 0)}); largest stage: ${row.largest_stage}${largest_part ? `, in it ${largest_part}` : ''}`;
}

/** How near the kernels come to the least time this adapter allows; blank without ceilings or instrumented runs. */
function efficiency(kernels: readonly KernelRow[]): string {
  if (kernels.length === 0 || kernels.some((row) => row.floor_ms === null)) return '';
  return percent(sum(kernels.map((row) => row.floor_ms as number)) / sum(kernels.map((row) => row.gpu_ms)));
}

function scaling({ scaling: { prefill, decode } }: E1Stages): string {
  const line = (name: string, unit: string, fit: typeof prefill): string => {
    if (fit === null) return `${name}: one length only, no fit`;
    const interval =
      fit.slope_ci95 === null
        ? ''
        : ` (95 %: ${fit.slope_ci95[0].toPrecision(3)} to ${fit.slope_ci95[1].toPrecision(3)})`;
    const quality = fit.r_squared === null || fit.n < 3 ? '' : `, R squared ${fit.r_squared.toFixed(4)}`;
    return `${name}: ${fit.slope.toPrecision(3)} ms a ${unit}${interval} + ${fit.intercept.toPrecision(3)} ms${quality}, ${fit.n} points`;
  };
  return `${bold('scaling')}\n${line('prefill', 'prompt position', prefill)}\n${line('decode', 'step', decode)}`;
}

function correlations({ correlation }: E1Flops): string {
  const number = (x: number | null) => (x === null ? '' : x.toFixed(2));
  const rows = correlation
    .filter((row) => row.over === 'pooled' || row.flops === 'exact')
    .map((row) => [
      row.over,
      row.flops,
      String(row.n),
      row.n < 3 ? '' : number(row.spearman),
      row.n < 3 ? '' : number(row.r_squared),
      row.ms_per_gflop === null ? '' : row.ms_per_gflop.map((x) => Number(x.toPrecision(2))).join(' to '),
    ]);
  return `${bold('FLOPs against latency')}\n${table([['over', 'FLOPs', 'n', 'rank correlation', 'R squared', 'ms a GFLOP'], ...rows])}`;
}

/** Older methods beside the direct measurement of the same session: signed, in percent of the direct median. */
function method_errors({ configurations }: E1Stages, method: string): string {
  const rows = configurations.flatMap((row) =>
    STAGES.flatMap((stage) => {
      const direct = median_of(row, stage);
      const values = row.methods.flatMap((one) => one[STAGE_TIME[stage]] ?? []);
      if (direct === undefined || values.length === 0) return [];
      const middle = percentile(values, 50);
      const error = middle - direct;
      const signed = (x: number) => `${x >= 0 ? '+' : ''}${x.toFixed(1)}`;
      return [
        [
          row.key,
          stage,
          ms(direct),
          ms(middle),
          `${signed(error)} ms`,
          `${signed((100 * error) / direct)} %`,
          String(values.filter((x) => x < 0).length),
        ],
      ];
    }),
  );
  return `${bold(`method ${method} against direct`)}\n${table([['configuration', 'stage', 'direct', method, 'error', 'of direct', 'negative runs'], ...rows])}`;
}

const findings = ({ findings: all }: E1Stages): string =>
  `${bold('findings')}\n${all.map(({ expectation, outcome, because }) => `${MARK[outcome]}  ${expectation}: ${because}`).join('\n')}`;
