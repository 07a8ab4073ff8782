import { expect } from 'vitest';
import type { Figure } from '../../../experiments/lab/charts.ts';
import { draw } from '../../../experiments/lab/figures.ts';
import { HEAD } from '../../support/sample_charts.ts';
import { boxes_of, overlap } from '../../support/svg_text.ts';

export const FULL_STAGES = [
  'vision encoder',
  'projector',
  'prefill',
  'decode',
  'attention',
  'MLP',
  'MoE routing',
  'MoE experts',
  'norm',
  'embed',
  'pooling',
  'head',
];

export const drawn = async (figure: Figure) => boxes_of(await draw(figure, HEAD));
export type Drawn = Awaited<ReturnType<typeof drawn>>;

/** All words on the page, nothing on anything else, nothing cut off. */
export function expect_tidy({ page, texts, plots }: Drawn): void {
  for (const text of texts) {
    expect(text.left, text.text).toBeGreaterThanOrEqual(page.left);
    expect(text.top, text.text).toBeGreaterThanOrEqual(page.top);
    expect(text.right, text.text).toBeLessThanOrEqual(page.right);
    expect(text.bottom, text.text).toBeLessThanOrEqual(page.bottom);
    const on_plots = plots.filter((plot) => text.role !== 'role-mark' && overlap(text, plot) > 1);
    expect(on_plots, `${text.role} ${text.text} on a plot`).toEqual([]);
  }
  const straight = texts.filter(({ turned }) => !turned);
  const collisions = straight.flatMap((a, i) =>
    straight.slice(i + 1).flatMap((b) => (overlap(a, b) > 0 ? [`${a.text} on ${b.text}`] : [])),
  );
  expect(collisions).toEqual([]);
}

export const words = ({ texts }: Drawn): string[] => texts.map(({ text }) => text);

/** Ticks of an axis by their numbers: [value, place], for values without a prefix. */
export const ticks = ({ texts }: Drawn, along: 'x' | 'y', plot: Drawn['plots'][number]): [number, number][] =>
  texts.flatMap((text): [number, number][] => {
    if (text.role !== 'role-axis-label') return [];
    const value = Number(text.text.replaceAll(',', '').replace('−', '-'));
    const middle = along === 'x' ? (text.left + text.right) / 2 : (text.top + text.bottom) / 2;
    const beside = along === 'x' ? text.top >= plot.bottom : text.right <= plot.left;
    return beside && Number.isFinite(value) ? [[value, middle]] : [];
  });

/** What a place means, by the first and last tick of a linear axis. */
export function value_at(marks: readonly [number, number][], place: number): number {
  const [a, b] = [marks[0], marks.at(-1)] as [[number, number], [number, number]];
  return a[0] + ((place - a[1]) / (b[1] - a[1])) * (b[0] - a[0]);
}
