import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { e1_figures } from '../../experiments/core/e1_figures.ts';
import { FILLS, hatched } from '../../experiments/lab/figure_theme.ts';
import { draw, type Figure } from '../../experiments/lab/figures.ts';
import { PARTS, STAGES } from '../../experiments/lab/schema.ts';
import { E1_CASES, e1_files } from '../support/e1_records.ts';
import { boxes_of, overlap } from '../support/svg_text.ts';

const NAMES = ['e1_stage_stack_plot', 'e1_scaling_curves', 'e1_flops_vs_latency', 'e1_attention_ffn_breakdown'];
/** Names of models may be long: what is said of the page must hold then too. */
const LONG_NAME = 'some-organisation/a-vision-language-mixture-of-experts-model-with-a-long-name-and-a-date-2024-09-25';

function figures_of(name: string): Figure[] {
  const { stages, flops, parts } = e1_files((E1_CASES[name] as (typeof E1_CASES)[string])());
  return e1_figures(stages, flops, parts);
}

describe.each(['one', 'three', 'fifteen', 'twenty_seven', 'one_token', 'text_only', 'slow'])(
  'E1 figures, %s',
  (name) => {
    const figures = figures_of(name);

    it('are the four', () => expect(figures.map((figure) => figure.name)).toEqual(NAMES));

    it.each(figures)('$name: units on all axes, no text on text, nothing cut off', async (figure) => {
      const { page, texts, plots } = boxes_of(await draw(figure));
      expect(texts.filter(({ role }) => role === 'role-axis-title').length).toBeGreaterThan(1);
      for (const text of texts) {
        // The one title of two lines has its unit in the second.
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
      expect(plots.length).toBe(figure.spec.hconcat.length);
    });
  },
);

const words_of = async (figure: Figure | undefined): Promise<string> =>
  boxes_of(await draw(figure as Figure))
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

  it('claim no interval of a single run', async () => {
    const [stack] = figures_of('one_run');
    expect(await words_of(stack)).toContain('1 run, no error bars; host wall time between fences');
  });

  it('keep a long model name on the page', async () => {
    const { stages, flops, parts } = e1_files((E1_CASES.one as (typeof E1_CASES)[string])());
    const { provenance } = stages;
    const named = { ...stages, provenance: { ...provenance, model: { ...provenance.model, name: LONG_NAME } } };
    const { page, texts } = boxes_of(await draw(e1_figures(named, flops, parts)[0] as Figure));
    expect(texts.some(({ text }) => text.includes(LONG_NAME))).toBe(true);
    for (const { right } of texts) expect(right).toBeLessThanOrEqual(page.right);
  });

  it('write the fits and correlations of the results', async () => {
    const { stages, flops, parts } = e1_files((E1_CASES.fifteen as (typeof E1_CASES)[string])());
    const [, scaling, scatter] = e1_figures(stages, flops, parts);
    const fit = stages.scaling.prefill as NonNullable<typeof stages.scaling.prefill>;
    expect(await words_of(scaling)).toContain(`prefill ms = ${Number(fit.slope.toPrecision(4))} × tokens`);
    expect(await words_of(scaling)).toContain(`R² ${(fit.r_squared as number).toFixed(4)}, n = 15`);
    const pooled = flops.correlation.find((row) => row.over === 'pooled' && row.flops === 'exact');
    expect(await words_of(scatter)).toContain(
      `Spearman ${pooled?.spearman?.toFixed(2)}, R² ${pooled?.r_squared?.toFixed(2)}, n = 60`,
    );
  });

  it('fit and correlate nothing with too few points', async () => {
    const [, scaling, scatter] = figures_of('text_only');
    expect(await words_of(scaling)).toContain('no fit: it needs two different token counts');
    expect(await words_of(scatter)).toContain('too few points for a correlation');
  });

  it('have no decode curve where nothing was decoded', async () => {
    const [stack, scaling] = figures_of('one_token');
    expect(scaling?.spec.hconcat.length).toBe(1);
    expect(await words_of(stack)).not.toContain('decode');
  });

  it('stack the stages to their sum, with the shares of the results', async () => {
    const { stages, flops, parts } = e1_files((E1_CASES.one as (typeof E1_CASES)[string])());
    const words = (await words_of(e1_figures(stages, flops, parts)[0])).split('\n');
    const only = stages.configurations[0] as (typeof stages.configurations)[number];
    expect(words).toContain(Math.round(only.statistics.T_total?.median as number).toLocaleString('en-US'));
    expect(words).toContain((100 * (only.shares.prefill as number)).toFixed(0));
  });

  it('leave out the parts where nothing was instrumented', () => {
    const { stages, flops, parts } = e1_files((E1_CASES.one as (typeof E1_CASES)[string])());
    const names = e1_figures(stages, flops, { ...parts, configurations: [] }).map((figure) => figure.name);
    expect(names).toEqual(NAMES.slice(0, 3));
  });

  it('refuse results without FLOPs in one line', () => {
    const { stages, flops, parts } = e1_files((E1_CASES.one as (typeof E1_CASES)[string])());
    expect(() => e1_figures(stages, { ...flops, points: [] }, parts)).toThrow(
      /^figures: expected FLOPs and latencies above 0 .*, found none; .*$/,
    );
  });

  it('refuse an empty result in one line', () => {
    const { stages, flops, parts } = e1_files([]);
    expect(() => e1_figures(stages, flops, parts)).toThrow(InputError);
    expect(() => e1_figures(stages, flops, parts)).toThrow(/^figures: expected at least one .*, found none; .*$/);
  });

  it('hatch every segment of a stack, neighbours differently', async () => {
    const [stack, , , parts] = figures_of('fifteen');
    const [by_stage, by_part] = [await draw(stack as Figure), await draw(parts as Figure)];
    for (const stage of STAGES) expect(by_stage).toContain(`fill="${hatched(stage)}"`);
    for (const part of PARTS) expect(by_part).toContain(`fill="${hatched(part)}"`);
    for (const order of [STAGES, PARTS]) {
      for (const [i, a] of order.entries()) {
        for (const b of order.slice(i + 1)) {
          const differ = FILLS[a].hatch !== FILLS[b].hatch || Math.abs(luminance(a) - luminance(b)) > 0.15;
          expect(differ, `${a} and ${b} in grey`).toBe(true);
        }
      }
    }
  });
});

/** Relative luminance of sRGB, 0 to 1. */
function luminance(name: keyof typeof FILLS): number {
  const linear = (from: number) => {
    const value = Number.parseInt(FILLS[name].color.slice(from, from + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(1) + 0.7152 * linear(3) + 0.0722 * linear(5);
}
