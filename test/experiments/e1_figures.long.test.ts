import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { e1_figures } from '../../experiments/core/e1_figures.ts';
import type { Bar, Figure, Lines, Scatter, Stack } from '../../experiments/lab/charts.ts';
import { draw } from '../../experiments/lab/figures.ts';
import { E1_CASES, type E1Files, e1_files } from '../support/e1_records.ts';
import { fake_configuration, PROVENANCE } from '../support/records.ts';
import { boxes_of, overlap } from '../support/svg_text.ts';

const NAMES = ['e1_stage_stack_plot', 'e1_scaling_curves', 'e1_flops_vs_latency', 'e1_attention_ffn_breakdown'];
/** Names of models may be long: what is said of the page must hold then too. */
const LONG_NAME = 'some-organisation/a-vision-language-mixture-of-experts-model-with-a-long-name-and-a-date-2024-09-25';

const files_of = (name: string): E1Files => e1_files((E1_CASES[name] as (typeof E1_CASES)[string])());
const drawn_from = ({ stages, flops, parts }: E1Files): Figure[] => e1_figures(stages, flops, parts);
const figures_of = (name: string): Figure[] => drawn_from(files_of(name));
const picture = (figure: Figure | undefined): Promise<string> => draw(figure as Figure, PROVENANCE);
const panels_of = <T>(figure: Figure | undefined): T => (figure as Figure).panels as T;
const bars_of = (figure: Figure | undefined): readonly Bar[] => panels_of<[Stack]>(figure)[0].bars;

describe.each(['one', 'three', 'fifteen', 'twenty_seven', 'one_token', 'text_only', 'slow'])(
  'E1 figures, %s',
  (name) => {
    const figures = figures_of(name);

    it('are the four', () => expect(figures.map((figure) => figure.name)).toEqual(NAMES));

    it.each(figures)('$name: units on all axes, no text on text, nothing cut off', async (figure) => {
      const { page, texts, plots } = boxes_of(await picture(figure));
      expect(texts.filter(({ role }) => role === 'role-axis-title').length).toBeGreaterThan(1);
      for (const text of texts) {
        // Configurations have no unit.
        if (text.role === 'role-axis-title' && text.text !== 'Configuration') expect(text.text).toMatch(/\(.+\)/);
        expect(text.left, text.text).toBeGreaterThanOrEqual(page.left);
        expect(text.top, text.text).toBeGreaterThanOrEqual(page.top);
        expect(text.right, text.text).toBeLessThanOrEqual(page.right);
        expect(text.bottom, text.text).toBeLessThanOrEqual(page.bottom);
        const on_plots = plots.filter((plot) => text.role !== 'role-mark' && overlap(text, plot) > 1);
        expect(on_plots, `${text.role} ${text.text} on a plot`).toEqual([]);
      }
      const collisions = texts.flatMap((a, i) =>
        texts.slice(i + 1).flatMap((b) => (overlap(a, b) > 0 ? [`${a.text} on ${b.text}`] : [])),
      );
      expect(collisions).toEqual([]);
      expect(plots.length).toBe(figure.panels.length);
    });
  },
);

const words_of = async (figure: Figure | undefined): Promise<string> =>
  boxes_of(await picture(figure))
    .texts.map(({ text }) => text)
    .join('\n');

describe('E1 figures', () => {
  it('say model, precision, adapter, runs and clock', async () => {
    for (const figure of figures_of('one')) {
      const words = await words_of(figure);
      expect(words).toContain('molmoe-mini, synthetic weights, f16; software adapter llvmpipe');
      expect(words).toMatch(
        figure.name === 'e1_attention_ffn_breakdown'
          ? '1 instrumented run; GPU timestamps, a pass a kernel'
          : 'median of 10 runs, error bars: 95 % interval of the median; host wall time between fences',
      );
    }
  });

  it('claim no interval of a single run', () => {
    const [stack] = figures_of('one_run');
    expect(stack?.notes[0]).toBe('1 run, no error bars; host wall time between fences');
    expect(bars_of(stack)[0]?.total).not.toHaveProperty('low');
  });

  it('call an interval of fewer than six runs a range', () => {
    const few = e1_files([fake_configuration('low', 'short', 'short', 5)]);
    const [stack] = drawn_from(few);
    expect(stack?.notes[0]).toContain('median of 5 runs, error bars: range;');
    const totals = few.stages.configurations[0]?.samples.map(({ T_total }) => T_total) as number[];
    expect(bars_of(stack)[0]?.total).toMatchObject({ low: Math.min(...totals), high: Math.max(...totals) });
    const [six] = drawn_from(e1_files([fake_configuration('low', 'short', 'short', 6)]));
    expect(six?.notes[0]).toContain('median of 6 runs, error bars: 95 % interval of the median;');
  });

  it('keep a long model name on the page', async () => {
    const [stack] = figures_of('one');
    const model = { ...PROVENANCE.model, name: LONG_NAME };
    const { page, texts } = boxes_of(await draw(stack as Figure, { ...PROVENANCE, model }));
    expect(texts.some(({ text }) => text.includes(LONG_NAME))).toBe(true);
    for (const { right } of texts) expect(right).toBeLessThanOrEqual(page.right);
  });

  it('name one total: bar, label and error bar are the median of T_total, segments its shares', () => {
    const files = files_of('fifteen');
    const [stack] = drawn_from(files);
    const bars = bars_of(stack);
    expect(bars.length).toBe(15);
    for (const row of files.stages.configurations) {
      const bar = bars.find(({ label }) => label.join('_') === row.key) as Bar;
      const median = row.statistics.T_total?.median as number;
      expect(bar.segments.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(median, 6);
      expect(bar.total?.value).toBe(median);
      expect(bar.total?.label).toBe(Math.round(median).toLocaleString('en-US'));
      expect([bar.total?.low, bar.total?.high]).toEqual(row.statistics.T_total?.median_ci95);
      for (const { look, value } of bar.segments)
        expect(value / median).toBeCloseTo(row.shares[look as 'decode'] as number, 9);
    }
  });

  it("follow the grid's order, whatever was measured first", () => {
    const configurations = (E1_CASES.twenty_seven as () => Parameters<typeof e1_files>[0])();
    const order = (figure: Figure | undefined) => bars_of(figure).map(({ label }) => label.join(' '));
    const [stack, , , parts] = drawn_from(e1_files(configurations));
    const [turned, , , turned_parts] = drawn_from(e1_files(configurations.toReversed()));
    expect(order(turned)).toEqual(order(stack));
    expect(order(turned_parts)).toEqual(order(parts));
    expect(order(stack).slice(0, 4)).toEqual([
      'low short short',
      'low short medium',
      'low short long',
      'low medium short',
    ]);
  });

  it('show what else a cell was set to', async () => {
    const one = fake_configuration('high', 'short', 'short');
    const turned = { ...one, key: `${one.key}_portrait`, settings: { ...one.settings, orientation: 'portrait' } };
    const [stack] = drawn_from(e1_files([one, turned]));
    expect(bars_of(stack).map(({ label }) => label[0])).toEqual(['high', 'high portrait']);
    expect(await words_of(stack)).toContain('high portrait');
  });

  it('pool prefill over answers and decode over the prompts of an image', () => {
    const files = files_of('twenty_seven');
    const scaling = drawn_from(files)[1];
    const [prefill, decode] = panels_of<[Lines, Lines]>(scaling);
    expect(prefill.series.length).toBe(1);
    const points = prefill.series[0]?.points ?? [];
    expect(points.length).toBe(9);
    for (const { n } of points) expect(n).toBe(30);
    expect(decode.series.map(({ name, points: some }) => [name, some.length])).toEqual([
      ['low', 3],
      ['medium', 3],
      ['high', 3],
    ]);
    expect(scaling?.notes.join()).toContain('median of 30 runs');
  });

  it('write the fits and correlations of the results', async () => {
    const files = files_of('fifteen');
    const [, scaling, scatter] = drawn_from(files);
    const fit = files.stages.scaling.prefill as NonNullable<E1Files['stages']['scaling']['prefill']>;
    const text = (await words_of(scaling)).replaceAll('\n', ' ');
    expect(text).toContain(`prefill ms = ${Number(fit.slope.toPrecision(4))} × tokens`);
    expect(text).toContain(`R² ${(fit.r_squared as number).toFixed(4)}, n\u00a0=\u00a015`);
    const pooled = files.flops.correlation.find((row) => row.over === 'pooled' && row.flops === 'exact');
    expect(await words_of(scatter)).toContain(
      `Spearman ${pooled?.spearman?.toFixed(2)}, R² ${pooled?.r_squared?.toFixed(2)}, n = 60`,
    );
  });

  it('draw published formulas filled and hollow, once in the legend', () => {
    const [exact, published] = panels_of<[Scatter, Scatter]>(figures_of('three')[2]);
    expect(exact.series.map(({ look }) => look)).toEqual(['vision_encoder', 'projector', 'prefill', 'decode']);
    expect(published.series.map(({ hollow }) => hollow)).toEqual([false, false, false, false, true, true, true, true]);
  });

  it('fit and correlate nothing with too few points', async () => {
    const [, scaling, scatter] = figures_of('text_only');
    expect(await words_of(scaling)).toContain('no fit: it needs two different token counts');
    expect(await words_of(scatter)).toContain('too few points for a correlation');
  });

  it('have no decode curve where nothing was decoded', async () => {
    const [stack, scaling] = figures_of('one_token');
    expect(scaling?.panels.length).toBe(1);
    expect(await words_of(stack)).not.toContain('decode');
  });

  it('leave out the parts where nothing was instrumented', () => {
    const { stages, flops, parts } = files_of('one');
    const names = e1_figures(stages, flops, { ...parts, configurations: [] }).map((figure) => figure.name);
    expect(names).toEqual(NAMES.slice(0, 3));
  });

  it('refuse results without FLOPs in one line', async () => {
    const { stages, flops, parts } = files_of('one');
    const [, , scatter] = e1_figures(stages, { ...flops, points: [] }, parts);
    await expect(picture(scatter)).rejects.toThrow(
      /^figure e1_flops_vs_latency: expected at least one chart, found none; .*$/,
    );
  });

  it('refuse an empty result in one line', async () => {
    const [stack] = drawn_from(e1_files([]));
    await expect(picture(stack)).rejects.toThrow(InputError);
    await expect(picture(stack)).rejects.toThrow(
      /^figure e1_stage_stack_plot: expected at least one bar .*, found none; .*$/,
    );
  });
});
