import type { Look } from '../charts.ts';
import { HATCH_INK, HATCH_OPACITY, HATCHES, type Hatch, hatch_width, MARKERS, type Style, style_of } from '../style.ts';
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
/** Of what is drawn now: paper is narrower than a window. */
let limit = Number.POSITIVE_INFINITY;

/**
 * Calls `draw` with the width of the box: when it first comes near the window, changes size, changes colours or is printed.
 * A page of a hundred charts opens as fast as one of ten: the style sheet leaves out of the layout what is out of sight, until
 * `draw_the_rest`. `gone` is called when the box has left the page.
 */
export function responsive(box: HTMLElement, draw: Draw, gone?: () => void): void {
  const entry = { width: 0, draw };
  drawn.set(box, entry);
  const observer = new ResizeObserver(([size]) => {
    const width = Math.floor(size?.contentRect.width ?? 0);
    if (!box.isConnected) {
      drawn.delete(box);
      observer.disconnect();
      gone?.();
    } else if (width > 0 && width !== entry.width) {
      entry.width = width;
      draw(Math.min(width, limit));
    }
  });
  observer.observe(box);
}

function redraw(): void {
  for (const { width, draw } of drawn.values()) if (width > 0) draw(Math.min(width, limit));
}

/** What is out of sight is laid out and drawn once the page stands, a few figures at a time. */
export function draw_the_rest(): void {
  const left = [...document.querySelectorAll<HTMLElement>('.figure')];
  const some = () => {
    for (const figure of left.splice(0, 2)) figure.style.setProperty('content-visibility', 'visible');
    if (left.length > 0) later();
  };
  // Not every browser tells when it is idle.
  const later = () => ('requestIdleCallback' in window ? requestIdleCallback(some) : setTimeout(some, 50));
  later();
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw());
addEventListener('beforeprint', () => {
  limit = PRINT_WIDTH;
  // What has not come near the window yet too.
  for (const { width, draw } of drawn.values()) draw(Math.min(width || limit, limit));
  hatch_for_paper();
});
// Only now are the colours those of paper: canvases ask for them.
matchMedia('print').addEventListener('change', ({ matches }) => {
  redraw();
  if (matches) hatch_for_paper();
});
addEventListener('afterprint', () => {
  limit = Number.POSITIVE_INFINITY;
  redraw();
});

let patterns: SVGDefsElement | undefined;
/** Looks by the number of their pattern. */
const made: Style[] = [];

/** The strokes of a hatching. */
const strokes_of = (hatch: Hatch, d: string): SVGPathElement =>
  svg('path', {
    d,
    fill: 'none',
    stroke: HATCH_INK,
    'stroke-opacity': HATCH_OPACITY,
    'stroke-width': hatch_width(hatch),
    'stroke-linecap': 'round',
  });

/** A fill of the look's colour under its hatching: a pattern that the page holds once. */
export function hatched(look: Look): string {
  const style = style_of(look);
  const { color, hatch } = style;
  if (HATCHES[hatch] === '') return color;
  const known = made.findIndex((one) => one.color === color && one.hatch === hatch);
  if (known >= 0) return `url(#fill-${known})`;
  if (patterns === undefined) {
    patterns = svg('defs');
    document.body.append(svg('svg', { width: 0, height: 0, class: 'patterns', 'aria-hidden': 'true' }, patterns));
  }
  const id = `fill-${made.push(style) - 1}`;
  const tile = { id, width: 8, height: 8, patternUnits: 'userSpaceOnUse' };
  const ground = svg('rect', { width: 8, height: 8, fill: color });
  patterns.append(svg('pattern', tile, ground, strokes_of(hatch, HATCHES[hatch])));
  return `url(#${id})`;
}

let clips = 0;
/** Strokes instead of patterns: printed, every pattern becomes a picture of its own, and a page a file of 30 MB. */
function hatch_for_paper(): void {
  for (const node of document.querySelectorAll<SVGGraphicsElement>('.plot [fill^="url(#fill-"]')) {
    const id = `paper-${clips++}`;
    const { color, hatch } = made[Number(node.getAttribute('fill')?.replace(/\D/g, ''))] as Style;
    const { x, y, width, height } = node.getBBox();
    const starts = (from: number, size: number) =>
      Array.from({ length: Math.ceil(size / 8) + 1 }, (_, k) => 8 * (Math.floor(from / 8) + k));
    const tiles = starts(x, width).flatMap((left) =>
      starts(y, height).map((top) =>
        HATCHES[hatch].replace(/M(-?\d+),(-?\d+)/g, (_, dx, dy) => `M${left + Number(dx)},${top + Number(dy)}`),
      ),
    );
    node.setAttribute('fill', color);
    const clip = svg('clipPath', { id }, node.cloneNode());
    const strokes = strokes_of(hatch, tiles.join(' '));
    strokes.setAttribute('clip-path', `url(#${id})`);
    node.after(clip, strokes);
  }
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

export const line_swatch = (color: string, dash: readonly number[]): SVGElement =>
  swatch(stroke(color, dash, 'M0 7H22'));

/** A path in the colour of a look, in its dashes where they tell it from others. */
export function line_of(look: Look, d: string, dashed = true): SVGElement {
  const { color, dash } = style_of(look);
  return stroke(color, dashed ? dash : [], d);
}

const stroke = (color: string, dash: readonly number[], d: string): SVGElement =>
  svg('path', { d, fill: 'none', stroke: color, 'stroke-width': 2, 'stroke-dasharray': dash.join(' ') || undefined });
