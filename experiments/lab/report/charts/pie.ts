import type { Pie, Segment } from '../../charts.ts';
import { spaced, svg } from '../dom.ts';
import { digits, percent } from '../format.ts';
import { hatched, text_width } from '../style.ts';
import { type Choices, type Mark, type Scene, text } from './scene.ts';

/** From this share on a slice has room for words. */
const LEAST_WRITTEN = 0.05;

/** A ring of slices, clockwise from the top. */
export function pie({ slices, total }: Pie, width: number, { hidden }: Choices): Scene {
  const shown = slices.filter(({ name, value }) => !hidden.has(name) && value > 0);
  const sum = shown.reduce((all, { value }) => all + value, 0);
  const radius = Math.min(140, width / 2 - 46);
  const [cx, cy] = [width / 2, radius + 26];
  const inner = radius * 0.55;
  const nodes: SVGElement[] = [];
  const marks: Mark[] = [];
  let turn = 0;
  for (const slice of shown) {
    const share = slice.value / sum;
    const middle = turn + share / 2;
    const arc = svg('path', {
      d: ring(cx, cy, inner, radius, turn, turn + share),
      fill: hatched(slice.look),
      class: 'piece',
    });
    arc.setAttribute('fill-rule', 'evenodd');
    nodes.push(arc);
    const [sin, cos] = [Math.sin(2 * Math.PI * middle), -Math.cos(2 * Math.PI * middle)];
    if (share >= LEAST_WRITTEN) {
      const anchor = Math.abs(sin) < 0.3 ? 'middle' : sin > 0 ? 'start' : 'end';
      nodes.push(text(cx + sin * (radius + 8), cy + cos * (radius + 13), percent(share), 'note', anchor));
      const at = (inner + radius) / 2;
      const { note } = slice;
      if (note !== undefined && text_width(note, 11) + 6 < Math.min(radius - inner, 2 * Math.PI * at * share)) {
        nodes.push(text(cx + sin * at, cy + cos * at, note, 'on-fill'));
      }
    }
    const at = (inner + radius) / 2;
    marks.push({ x: cx + sin * at, y: cy + cos * at, tip: slice_tip(slice, share) });
    turn += share;
  }
  if (total !== undefined && hidden.size === 0) nodes.push(text(cx, cy, total, 'total'));
  return { height: cy + radius + 24, nodes, marks };
}

function slice_tip({ name, value, note }: Segment, share: number) {
  const lines = [
    { label: 'value', value: note ?? digits(value) },
    { label: 'share', value: percent(share) },
  ];
  return { title: spaced(name), lines };
}

/** Between two radii and two turns; a whole one is two circles. */
function ring(cx: number, cy: number, inner: number, outer: number, from: number, to: number): string {
  const at = (radius: number, turn: number) => {
    const angle = 2 * Math.PI * turn;
    return `${(cx + radius * Math.sin(angle)).toFixed(2)} ${(cy - radius * Math.cos(angle)).toFixed(2)}`;
  };
  if (to - from > 0.9999) {
    const circle = (radius: number) =>
      `M${at(radius, 0)}A${radius} ${radius} 0 1 1 ${at(radius, 0.5)}A${radius} ${radius} 0 1 1 ${at(radius, 0)}Z`;
    return circle(outer) + circle(inner);
  }
  const large = to - from > 0.5 ? 1 : 0;
  return `M${at(outer, from)}A${outer} ${outer} 0 ${large} 1 ${at(outer, to)}L${at(inner, to)}A${inner} ${inner} 0 ${large} 0 ${at(inner, from)}Z`;
}
