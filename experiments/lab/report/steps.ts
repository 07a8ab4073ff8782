import type uPlot from 'uplot';
import { mean, type ReportConfiguration } from './data.ts';
import { el, legend, missing, section, teach } from './dom.ts';
import { ms } from './format.ts';
import { axis, number_size, on_hover, plot, QUIET } from './plot.ts';
import { line_swatch, STAGE_LOOK } from './style.ts';

interface Step {
  readonly step: number;
  readonly mean: number;
  readonly fastest: number;
  readonly slowest: number;
}

const LINES = ['mean', 'fastest', 'slowest'] as const;
const DASH = { mean: [], fastest: [2, 3], slowest: [6, 3] } as const;

/** Latency of each decode step of one configuration. */
export function steps_section({ clean, tokens }: ReportConfiguration): HTMLElement {
  const runs = clean.samples.length;
  const longest = Math.max(0, ...clean.samples.map((sample) => sample.T_decode_per_step.length));
  const steps = Array.from({ length: longest }, (_, i): Step => {
    const values = clean.samples.flatMap((sample) => sample.T_decode_per_step[i] ?? []);
    return { step: i + 1, mean: mean(values), fastest: Math.min(...values), slowest: Math.max(...values) };
  });
  const lead = 'Each step reads all active weights once and makes one token.';
  if (steps.length === 0) {
    return section('steps', 'Decode, step by step', 'wall', lead, missing('This configuration has no decode steps.'));
  }
  return section(
    'steps',
    'Decode, step by step',
    'wall',
    lead,
    steps_chart(steps, tokens.prompt_length, runs),
    teach(
      'A flat line says that a token costs the same wherever it stands. A rising one shows the KV cache: every step reads the keys and values of all positions before it.',
      'Single peaks are the machine, not the model: look whether the fastest run has them too.',
    ),
  );
}

function steps_chart(steps: readonly Step[], prompt_length: number, runs: number): HTMLElement {
  const { colour } = STAGE_LOOK.decode;
  const lines = runs > 1 ? LINES : (['mean'] as const);
  const find = (chart: uPlot, left: number) => {
    const one = steps[Math.round(chart.posToVal(left, 'x')) - 1];
    if (one === undefined) return null;
    return {
      title: `Decode step ${one.step}`,
      lines: lines.map((name) => ({ label: name, value: ms(one[name]) })),
      note: `Sequence position ${prompt_length + one.step}; ${runs === 1 ? 'one run' : `${runs} runs`}.`,
    };
  };
  const top = 1.1 * Math.max(...steps.map(({ slowest }) => slowest));
  const box = el('div', { class: 'chart', role: 'img', 'aria-label': 'Lines: latency of each decode step' });
  const chart = plot(
    box,
    () => 280,
    () => ({
      data: [steps.map(({ step }) => step), ...lines.map((name) => steps.map((one) => one[name]))],
      options: {
        ...QUIET,
        cursor: { ...QUIET.cursor, x: true },
        padding: [12, 16, 0, 0],
        scales: { x: { time: false, range: [0, steps.length + 1] }, y: { range: [0, top || 1] } },
        axes: [
          axis('decode step (count)', { size: 32, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }),
          axis('wall time of a step (ms)', { size: number_size }),
        ],
        series: [
          {},
          ...lines.map(
            (name): uPlot.Series => ({
              stroke: colour,
              width: name === 'mean' ? 2 : 1,
              dash: [...DASH[name]],
              points: { show: steps.length < 40 && name === 'mean', size: 6, fill: colour },
            }),
          ),
        ],
        bands: runs > 1 ? [{ series: [3, 2], fill: `${colour}22` }] : [],
        hooks: { setCursor: on_hover(find) },
      },
    }),
  );
  const names = {
    mean: runs > 1 ? `mean of ${runs} runs` : 'the one run',
    fastest: 'fastest run',
    slowest: 'slowest run',
  };
  const items = lines.map((name) => ({ name, label: names[name], swatch: line_swatch(colour, DASH[name]) }));
  const toggles = legend(items, (hidden) => {
    chart.change((self) => {
      for (const [i, name] of lines.entries()) self.setSeries(i + 1, { show: !hidden.has(name) });
    });
  });
  return el('figure', { class: 'plot' }, el('div', { class: 'controls' }, toggles), box);
}
