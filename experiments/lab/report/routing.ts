import type { RoutingRecord } from '../schema.ts';
import { draw_axis, fresh } from './canvas.ts';
import { mean, type ReportConfiguration } from './data.ts';
import { el, missing, section, teach } from './dom.ts';
import { count, tick } from './format.ts';
import { font, responsive, theme } from './style.ts';
import { hide_tip, show_tip } from './tip.ts';

const LEFT = 62;
const RIGHT = 62;
const TOP = 20;
const CELL = 18;
/** Dark to bright in even steps, also in grey and for colour-blind eyes. */
const STOPS = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
] as const;

export function routing_section({ routing, tokens }: ReportConfiguration): HTMLElement {
  const lead = 'How many tokens each expert of each layer was given, over the positions of the prompt.';
  if (routing === null || routing.layers.length === 0) {
    return section('routing', 'Which experts work', 'counted', lead, missing('Not counted in this run.'));
  }
  const experts = routing.layers[0]?.pairs.length ?? 0;
  return section(
    'routing',
    'Which experts work',
    'counted',
    lead,
    heat_map(routing, experts),
    teach(
      `Imbalance is the busiest expert over the mean of its layer: 1 would be a perfectly even load, ${experts} all tokens on one expert. Here it is ${routing.imbalance.toFixed(2)}, the mean over the layers; each layer's own stands at its right.`,
      'In prefill the busiest expert can set the pace of its layer. In decode one token picks its few experts, so weights that nobody picked are not even read.',
      `A token is counted once for each expert it is sent to; the prompt has ${count(tokens.prompt_length)} positions.`,
    ),
  );
}

function heat_map({ layers }: RoutingRecord, experts: number): HTMLElement {
  const most = Math.max(1, ...layers.flatMap(({ pairs }) => pairs));
  const canvas = el('canvas', { role: 'img', 'aria-label': 'Heat map: token-expert pairs by layer and expert' });
  const box = el('div', { class: 'chart' }, canvas);
  const bottom = TOP + layers.length * CELL;
  let cell_width = 1;
  responsive(box, (width) => {
    const pen = fresh(canvas, width, bottom + 84);
    cell_width = (width - LEFT - RIGHT) / experts;
    const gap = cell_width > 4 ? 1 : 0;
    for (const [y, { layer, pairs }] of layers.entries()) {
      for (const [x, value] of pairs.entries()) {
        pen.fillStyle = colour(value / most);
        pen.fillRect(LEFT + x * cell_width, TOP + y * CELL, cell_width - gap, CELL - 1);
      }
      pen.font = font(11);
      pen.fillStyle = theme().muted;
      pen.textAlign = 'right';
      pen.fillText(`layer ${layer}`, LEFT - 8, TOP + y * CELL + CELL / 2);
      pen.textAlign = 'left';
      pen.fillText(imbalance(pairs), width - RIGHT + 8, TOP + y * CELL + CELL / 2);
    }
    pen.font = font(11, '600');
    pen.textAlign = 'right';
    pen.fillText('busiest / mean', width - 2, TOP / 2);
    const right = width - RIGHT;
    draw_axis(pen, { left: LEFT, right, y: bottom, from: 0, to: experts, label: 'expert (index)', cells: true });
    draw_scale(pen, LEFT, right, bottom + 52, most);
  });
  canvas.addEventListener('pointermove', (event) => {
    const row = layers[Math.floor((event.offsetY - TOP) / CELL)];
    const expert = Math.floor((event.offsetX - LEFT) / cell_width);
    const pairs = row?.pairs[expert];
    if (row === undefined || pairs === undefined) return hide_tip();
    const average = mean(row.pairs);
    show_tip(event.clientX, event.clientY, {
      title: `Layer ${row.layer}, expert ${expert}`,
      lines: [
        { label: 'tokens', value: count(pairs) },
        { label: 'mean of the layer', value: average.toFixed(1) },
        { label: 'load', value: average > 0 ? `${(pairs / average).toFixed(2)} × the mean` : 'none' },
      ],
    });
  });
  canvas.addEventListener('pointerleave', hide_tip);
  return el('figure', { class: 'plot' }, box);
}

function imbalance(pairs: readonly number[]): string {
  const average = mean(pairs);
  return average > 0 ? `× ${(Math.max(...pairs) / average).toFixed(2)}` : 'idle';
}

function draw_scale(pen: CanvasRenderingContext2D, left: number, right: number, y: number, most: number): void {
  const width = Math.min(240, right - left);
  const start = (left + right - width) / 2;
  for (let i = 0; i < width; i++) {
    pen.fillStyle = colour(i / width);
    pen.fillRect(start + i, y, 1, 10);
  }
  pen.font = font(11);
  pen.fillStyle = theme().muted;
  pen.textAlign = 'center';
  pen.fillText('0', start, y + 22);
  pen.fillText(`${tick(most)} tokens`, start + width, y + 22);
}

function colour(share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (STOPS.length - 1);
  const i = Math.min(STOPS.length - 2, Math.floor(at));
  const [low, high] = [STOPS[i] as readonly number[], STOPS[i + 1] as readonly number[]];
  return `rgb(${low.map((from, c) => Math.round(from + (at - i) * ((high[c] as number) - from))).join(' ')})`;
}
