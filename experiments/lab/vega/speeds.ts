import type { Point } from '../charts.ts';
import { text_width } from '../font.ts';
import { type Axes, position, text_layer } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { AID, SIZE } from './theme.ts';

/** Room in points that a label needs along the top and along the right edge. */
const LABEL = { width: 68, height: 18 } as const;

/** Diagonals of equal speed over axes of FLOP and ms, powers of ten apart, cut to the plot; labelled where they leave it. */
export function speed_layers(points: readonly Point[], axes: Axes, room: Room): Layer[] {
  const [x0, x1] = axes.x.domain;
  const [y0, y1] = axes.y.domain;
  const per_decade = { x: room.width / Math.log10(x1 / x0), y: room.height / Math.log10(y1 / y0) };
  const every = Math.max(1, Math.ceil(LABEL.width / per_decade.x), Math.ceil(LABEL.height / per_decade.y));
  const speeds = points.map((point) => Math.log10((1e3 * point.x) / point.y));
  const slowest = Math.floor(Math.min(...speeds));
  const fastest = Math.ceil(Math.max(...speeds));
  const exponents = Array.from({ length: fastest - slowest + 1 }, (_, i) => slowest + i);
  const diagonals = exponents.flatMap((exponent) => {
    const flop_per_ms = 10 ** (exponent - 3);
    const from = Math.max(x0, y0 * flop_per_ms);
    const to = Math.min(x1, y1 * flop_per_ms);
    const labelled = per_decade.x * Math.log10(to / x0) >= LABEL.width && to > from * 1.5;
    if (exponent % every !== 0 || !labelled) return [];
    return { exponent, top: to < x1, ends: [from, to].map((x) => ({ x, y: x / flop_per_ms })) };
  });
  const labels = (top: boolean) =>
    diagonals.flatMap(({ exponent, top: above, ends: [, end] }) => {
      if (above !== top || end === undefined) return [];
      const text = speed_text(exponent);
      // At the top as far left as the label is wide, so that the last does not reach beyond the plot.
      const x = axes.x.share(end.x) * room.width;
      return top
        ? { x: Math.max(x, text_width(text, SIZE.note - 1)), y: -4, text }
        : { x: room.width + 5, y: (1 - axes.y.share(end.y)) * room.height, text };
    });
  const written = { size: SIZE.note - 1, color: AID.text, rim: false } as const;
  return [
    ...diagonals.map(
      ({ ends }): Layer => ({
        data: { values: ends },
        mark: { type: 'line', color: '#808080', strokeWidth: 1, strokeDash: [4, 4] },
        encoding: position(axes),
      }),
    ),
    ...text_layer(labels(true), { ...written, align: 'right', baseline: 'bottom' }),
    ...text_layer(labels(false), { ...written, align: 'left' }),
  ];
}

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];

function speed_text(exponent: number): string {
  const thousands = Math.min(Math.max(Math.floor(exponent / 3), 0), PREFIXES.length - 1);
  return `${Number(`1e${exponent - 3 * thousands}`)} ${PREFIXES[thousands]}FLOP/s`;
}
