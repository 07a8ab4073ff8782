import type { Look } from '../charts.ts';
import { HATCH_INK, HATCH_OPACITY, HATCHES, hatch_width, MARKERS, style_of } from '../style.ts';
import { svg } from './dom.ts';

/** How looks of the style table are put on a page: hatched fills, marks, the small pictures of a legend. */

export interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly paper: string;
}

/** For canvases; drawings take theirs from the style sheet. */
export function theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return { ink: of('--ink'), muted: of('--muted'), grid: of('--line'), paper: of('--paper') };
}

export const FONT_FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
export const font = (size: number, weight = ''): string => `${weight} ${size}px ${FONT_FAMILY}`.trim();

const ruler = document.createElement('canvas').getContext('2d') as CanvasRenderingContext2D;

/** CSS pixels. */
export function text_width(text: string, size = 12, weight = ''): number {
  ruler.font = font(size, weight);
  return ruler.measureText(text).width;
}

/** What fits into this many pixels, an ellipsis where it does not. */
export function fitted(text: string, room: number, size = 12): string {
  if (text_width(text, size) <= room) return text;
  let shown = text;
  while (shown.length > 1 && text_width(`${shown}…`, size) > room) shown = shown.slice(0, -1);
  return `${shown.trimEnd()}…`;
}

type Draw = (width: number) => void;
const drawn = new Map<HTMLElement, { width: number; draw: Draw }>();
const PRINT_WIDTH = 660;

/** Calls `draw` with the width of the box: when it is laid out, changes size, changes colours or is printed. */
export function responsive(box: HTMLElement, draw: Draw): void {
  const entry = { width: 0, draw };
  const observer = new ResizeObserver(([size]) => {
    const width = Math.floor(size?.contentRect.width ?? 0);
    if (!box.isConnected) {
      drawn.delete(box);
      observer.disconnect();
    } else if (width > 0 && width !== entry.width) {
      entry.width = width;
      drawn.set(box, entry);
      draw(width);
    }
  });
  observer.observe(box);
}

function redraw(limit = Number.POSITIVE_INFINITY): void {
  for (const { width, draw } of drawn.values()) draw(Math.min(width, limit));
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw());
addEventListener('beforeprint', () => redraw(PRINT_WIDTH));
addEventListener('afterprint', () => redraw());

let patterns: SVGDefsElement | undefined;
const made = new Map<string, string>();

/** A fill of the look's colour under its hatching: a pattern that the page holds once. */
export function hatched(look: Look): string {
  const { color, hatch } = style_of(look);
  if (HATCHES[hatch] === '') return color;
  const name = `${color} ${hatch}`;
  const id = made.get(name) ?? `fill-${made.size}`;
  if (made.has(name)) return `url(#${id})`;
  made.set(name, id);
  const strokes = svg('path', {
    d: HATCHES[hatch],
    fill: 'none',
    stroke: HATCH_INK,
    'stroke-opacity': HATCH_OPACITY,
    'stroke-width': hatch_width(hatch),
    'stroke-linecap': 'round',
  });
  if (patterns === undefined) {
    patterns = svg('defs');
    document.body.append(svg('svg', { width: 0, height: 0, class: 'patterns', 'aria-hidden': 'true' }, patterns));
  }
  const tile = { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse' };
  patterns.append(svg('pattern', tile, svg('rect', { width: 8, height: 8, fill: color }), strokes));
  return `url(#${id})`;
}

/** The same fill for a canvas. */
export function hatched_on(pen: CanvasRenderingContext2D, look: Look): CanvasPattern {
  const { color, hatch } = style_of(look);
  const scale = devicePixelRatio;
  const size = Math.round(8 * scale);
  const tile = document.createElement('canvas');
  tile.width = size;
  tile.height = size;
  const brush = tile.getContext('2d') as CanvasRenderingContext2D;
  brush.fillStyle = color;
  brush.fillRect(0, 0, size, size);
  brush.scale(size / 8, size / 8);
  brush.strokeStyle = HATCH_INK;
  brush.globalAlpha = HATCH_OPACITY;
  brush.lineCap = 'round';
  brush.lineWidth = hatch_width(hatch);
  brush.stroke(new Path2D(HATCHES[hatch]));
  const pattern = pen.createPattern(tile, 'repeat') as CanvasPattern;
  pattern.setTransform(new DOMMatrix().scale(1 / scale));
  return pattern;
}

/** A mark around a point. */
export function mark(look: Look, x: number, y: number, radius: number, hollow = false): SVGElement {
  const { color, marker } = style_of(look);
  return svg('path', {
    d: MARKERS[marker],
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${radius})`,
    fill: hollow ? 'var(--paper)' : color,
    stroke: hollow ? color : 'var(--paper)',
    'stroke-width': ((hollow ? 1.8 : 1) / radius).toFixed(3),
    class: 'mark',
  });
}

const swatch = (...children: SVGElement[]): SVGElement =>
  svg('svg', { class: 'swatch', width: 22, height: 14, viewBox: '0 0 22 14', 'aria-hidden': 'true' }, ...children);

export const fill_swatch = (look: Look): SVGElement =>
  swatch(svg('rect', { width: 22, height: 14, fill: hatched(look) }));

export const mark_swatch = (look: Look, hollow = false, line?: 'full' | 'dashed'): SVGElement =>
  swatch(...(line ? [line_of(look, 'M0 7H22', line === 'dashed')] : []), mark(look, 11, 7, 5, hollow));

/** A path in the colour of a look, in its dashes where they tell it from others. */
export function line_of(look: Look, d: string, dashed = true): SVGElement {
  const { color, dash } = style_of(look);
  const dashes = dashed ? dash.join(' ') : undefined;
  return svg('path', { d, fill: 'none', stroke: color, 'stroke-width': 2, 'stroke-dasharray': dashes });
}
