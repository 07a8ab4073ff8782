import type { Knobs } from '../../engine/model/knobs.ts';
import type { Stack } from '../../experiments/lab/charts.ts';
import { chart_view } from '../../experiments/lab/report/charts/view.ts';
import { el } from '../../experiments/lab/report/dom.ts';
import { digits, ms, percent } from '../../experiments/lab/report/format.ts';
import { words_of } from '../../experiments/lab/style.ts';
import { interval_name } from '../../experiments/lab/words.ts';
import type { App } from '../app.ts';
import type { KnobView, ModelView } from '../protocol.ts';
import { action, labelled, page_section, type View } from './parts.ts';

/** Runs of each side: the fewest that have an interval, so that moving a knob answers soon. */
const PAIRS = 6;
const PAUSE_MS = 500;

/** Sliders for what a request may leave out, and what that changes in time and in the answer. */
export function knobs_view(app: App): View {
  const sliders = el('div', { class: 'sliders' });
  const layers = el('details', { class: 'layers' });
  const result = el('div', { class: 'knob-result', 'aria-live': 'polite' });
  const run = action('Compare with everything on', () => void compare(), { class: 'primary' });
  const reset = action('Everything on', () => turn({}));
  const keep = action('Use these knobs when asking', () => app.set({ knobs: turned }));
  const section = page_section(
    'knobs',
    'Turn the knobs',
    'Fewer crops, fewer experts, fewer blocks: moving a slider runs the question again, with the knob turned and with everything on in turns.',
    sliders,
    layers,
    el('p', { class: 'buttons' }, run, reset, keep),
    result,
  );
  let model: ModelView | undefined;
  let turned: Knobs = {};
  let timer: ReturnType<typeof setTimeout> | undefined;

  const compare = async (): Promise<void> => {
    clearTimeout(timer);
    if (app.model === undefined) return;
    const asked = { ...app.request(), knobs: {} };
    const found = await app.run('Comparing', 'knobs', [asked, turned, PAIRS]);
    if (found !== undefined) result.replaceChildren(...outcome(found, turned, app));
  };
  const moved = () => {
    clearTimeout(timer);
    timer = setTimeout(() => void compare(), PAUSE_MS);
  };
  const turn = (knobs: Knobs): void => {
    turned = knobs;
    if (model !== undefined) fill(model);
  };
  const change = (some: Partial<Knobs>): void => {
    turned = Object.fromEntries(
      Object.entries({ ...turned, ...some }).filter(([, value]) => value !== undefined),
    ) as Knobs;
    moved();
  };

  const fill = (of: ModelView): void => {
    const { topK, maxCrops, topKVision, blocks } = turned as {
      topK?: number | readonly number[];
      maxCrops?: number;
      topKVision?: number;
      blocks?: readonly number[];
    };
    const all = typeof topK === 'number' ? topK : of.top_k;
    sliders.replaceChildren(
      slider('crops', 'Crops at most', 1, of.max_crops, maxCrops ?? of.max_crops, (value) =>
        change({ maxCrops: value === of.max_crops ? undefined : value }),
      ),
      slider('experts', 'Experts a token takes', 1, of.top_k, all, (value) => {
        change({ topK: value === of.top_k ? undefined : value });
        fill(of);
      }),
      slider('picture-experts', 'Experts a picture token takes', 1, of.top_k, topKVision ?? of.top_k, (value) =>
        change({ topKVision: value === of.top_k ? undefined : value }),
      ),
      slider('blocks', 'Blocks that run, from the first', 1, of.layers, blocks?.length ?? of.layers, (value) =>
        change({ blocks: value === of.layers ? undefined : Array.from({ length: value }, (_, i) => i) }),
      ),
    );
    const each = Array.isArray(topK) ? [...topK] : new Array<number>(of.layers).fill(all);
    layers.replaceChildren(
      el('summary', {}, 'Experts block by block'),
      el(
        'div',
        { class: 'sliders' },
        ...each.map((value, i) =>
          slider(`block-${i}`, `Block ${i}`, 1, of.top_k, value, (now) => {
            each[i] = now;
            change({ topK: each.every((k) => k === of.top_k) ? undefined : [...each] });
          }),
        ),
      ),
    );
  };
  return {
    section,
    update: () => {
      run.disabled = app.model === undefined;
      if (app.model === model || app.model === undefined) return;
      model = app.model;
      turned = app.settings.knobs;
      fill(model);
    },
  };
}

function slider(
  id: string,
  text: string,
  least: number,
  most: number,
  value: number,
  change: (value: number) => void,
): HTMLElement {
  const input = el('input', {
    id: `knob-${id}`,
    type: 'range',
    min: String(least),
    max: String(most),
    step: '1',
    value: String(value),
  });
  const shown = el('output', { for: input.id }, `${value} of ${most}`);
  input.addEventListener('input', () => {
    shown.textContent = `${input.value} of ${most}`;
  });
  input.addEventListener('change', () => change(Number(input.value)));
  const field = labelled(text, input);
  field.append(shown);
  return field;
}

function outcome(found: KnobView, knobs: Knobs, app: App): HTMLElement[] {
  const { plain, turned, difference_ms, difference_ci95, ratio, significant, pairs } = found;
  const words = Object.entries(knobs).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const interval = difference_ci95
    ? `, ${interval_name(pairs)} ${digits(difference_ci95[0])} to ${digits(difference_ci95[1])} ms`
    : ', one run each: no interval';
  const verdict = significant
    ? `${difference_ms < 0 ? 'less' : 'more'} time, told apart from chance`
    : 'not told apart from chance';
  const same = plain.text === turned.text;
  const flops = turned.flops / plain.flops;
  const chart: Stack = {
    kind: 'stack',
    lying: true,
    categories: 'Knobs',
    value: { label: 'Wall time (ms)' },
    notes: [`Medians of ${pairs} runs each, in turns, without instruments`],
    bars: [
      { label: ['everything on'], side: plain },
      { label: ['turned'], side: turned },
    ].map(({ label, side }) => {
      const value = side.stages.reduce((sum, { median_ms }) => sum + median_ms, 0);
      return {
        label,
        segments: side.stages.map(({ stage, median_ms }) => ({ look: stage, name: words_of(stage), value: median_ms })),
        total: { value, label: ms(value) },
      };
    }),
  };
  return [
    el('h3', {}, words.length > 0 ? words.join(', ') : 'nothing is turned: two equal sides'),
    el(
      'p',
      {},
      el('strong', {}, `${difference_ms < 0 ? '−' : '+'}${ms(Math.abs(difference_ms))}`),
      ` (${percent(ratio)} of the time${interval}; n = ${pairs} each): ${verdict}. The turned request has ${percent(flops)} of the FLOPs.`,
    ),
    el(
      'p',
      { class: same ? 'same' : 'other' },
      same
        ? `The answer stays: "${plain.text.trim()}"`
        : `The answer changes: "${plain.text.trim()}" becomes "${turned.text.trim()}"`,
    ),
    ...(app.model?.synthetic
      ? [el('p', { class: 'hint' }, 'Synthetic weights: the words mean nothing, the times do.')]
      : []),
    ...(app.device?.software ? [el('p', { class: 'hint' }, 'Measured on a software adapter.')] : []),
    chart_view(chart, 'Stages with everything on and with the knobs turned'),
  ];
}
