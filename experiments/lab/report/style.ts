import type { PartName, StageName } from '../schema.ts';
import type { LegendItem } from './dom.ts';

/** Colour never stands alone: every series has a hatching and a marker of its own too. */
export type Hatch = 'none' | 'rising' | 'dots' | 'falling' | 'cross' | 'level' | 'upright' | 'grid';
export type Shape = 'circle' | 'square' | 'triangle' | 'diamond';

export interface Look {
  readonly colour: string;
  readonly hatch: Hatch;
}

export const STAGE_LOOK: Readonly<Record<StageName, Look & { readonly shape: Shape }>> = {
  vision_encoder: { colour: '#1F77B4', hatch: 'none', shape: 'circle' },
  projector: { colour: '#FF7F0E', hatch: 'cross', shape: 'square' },
  prefill: { colour: '#2CA02C', hatch: 'rising', shape: 'triangle' },
  decode: { colour: '#D62728', hatch: 'dots', shape: 'diamond' },
};
export const GAPS_LOOK: Look = { colour: '#9A9FA6', hatch: 'level' };

/** Parts that share a colour never meet in a stage, and differ in hatching. */
export const PART_LOOK: Readonly<Record<PartName, Look>> = {
  attention: { colour: '#9467BD', hatch: 'none' },
  mlp: { colour: '#8C564B', hatch: 'rising' },
  moe_routing: { colour: '#E377C2', hatch: 'dots' },
  moe_experts: { colour: '#8C564B', hatch: 'falling' },
  norm: { colour: '#7F7F7F', hatch: 'level' },
  embed: { colour: '#BCBD22', hatch: 'cross' },
  pooling: { colour: '#17BECF', hatch: 'grid' },
  head: { colour: '#17BECF', hatch: 'upright' },
};

export interface Theme {
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  readonly paper: string;
}

const LIGHT: Theme = { ink: '#1c2128', muted: '#57606a', grid: '#e4e7eb', paper: '#ffffff' };
const DARK: Theme = { ink: '#e6e8eb', muted: '#a3abb5', grid: '#30363d', paper: '#171b21' };
const dark = matchMedia('(prefers-color-scheme: dark)');
let printing = false;

export const theme = (): Theme => (dark.matches && !printing ? DARK : LIGHT);

export const FONT_FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
export const font = (size: number, weight = ''): string => `${weight} ${size}px ${FONT_FAMILY}`.trim();

const ruler = document.createElement('canvas').getContext('2d') as CanvasRenderingContext2D;

/** CSS pixels. */
export function text_width(text: string, size: number): number {
  ruler.font = font(size);
  return ruler.measureText(text).width;
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

dark.addEventListener('change', () => redraw());
addEventListener('beforeprint', () => {
  printing = true;
  redraw(PRINT_WIDTH);
});
addEventListener('afterprint', () => {
  printing = false;
  redraw();
});

/** A tile of 8 x 8 CSS pixels: the colour with its hatching in white. */
export function hatched(context: CanvasRenderingContext2D, { colour, hatch }: Look, scale: number): CanvasPattern {
  const size = Math.round(8 * scale);
  const tile = document.createElement('canvas');
  tile.width = size;
  tile.height = size;
  const pen = tile.getContext('2d') as CanvasRenderingContext2D;
  pen.fillStyle = colour;
  pen.fillRect(0, 0, size, size);
  pen.scale(size / 8, size / 8);
  pen.strokeStyle = 'rgba(255, 255, 255, 0.5)';
  pen.fillStyle = 'rgba(255, 255, 255, 0.6)';
  pen.lineWidth = 1.2;
  pen.beginPath();
  if (hatch === 'rising' || hatch === 'cross') lines(pen, [-2, 2, 2, -2], [-2, 10, 10, -2], [6, 10, 10, 6]);
  if (hatch === 'falling' || hatch === 'cross') lines(pen, [-2, 6, 2, 10], [-2, -2, 10, 10], [6, -2, 10, 2]);
  if (hatch === 'level' || hatch === 'grid') lines(pen, [0, 4, 8, 4]);
  if (hatch === 'upright' || hatch === 'grid') lines(pen, [4, 0, 4, 8]);
  pen.stroke();
  if (hatch === 'dots') {
    pen.arc(2, 2, 1, 0, 7);
    pen.arc(6, 6, 1, 0, 7);
    pen.fill();
  }
  return context.createPattern(tile, 'repeat') as CanvasPattern;
}

function lines(pen: CanvasRenderingContext2D, ...segments: readonly [number, number, number, number][]): void {
  for (const [x0, y0, x1, y1] of segments) {
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
  }
}

/** Adds a marker of about `radius` around a point. */
export function trace_shape(path: Path2D, shape: Shape, x: number, y: number, radius: number): void {
  if (shape === 'circle') {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  } else if (shape === 'square') {
    path.rect(x - 0.88 * radius, y - 0.88 * radius, 1.76 * radius, 1.76 * radius);
  } else {
    const corners: readonly (readonly [number, number])[] =
      shape === 'triangle'
        ? [
            [0, -1.2],
            [1.1, 0.8],
            [-1.1, 0.8],
          ]
        : [
            [0, -1.3],
            [1.3, 0],
            [0, 1.3],
            [-1.3, 0],
          ];
    for (const [i, [dx, dy]] of corners.entries())
      path[i === 0 ? 'moveTo' : 'lineTo'](x + dx * radius, y + dy * radius);
    path.closePath();
  }
}

export const fill_swatch =
  (look: Look): LegendItem['swatch'] =>
  (context) => {
    context.fillStyle = hatched(context, look, 1);
    context.fillRect(0, 0, 22, 14);
  };

export const shape_swatch =
  (colour: string, shape: Shape): LegendItem['swatch'] =>
  (context) => {
    const path = new Path2D();
    trace_shape(path, shape, 11, 7, 5);
    context.fillStyle = colour;
    context.fill(path);
  };

export const line_swatch =
  (colour: string, dash: readonly number[], width = 2): LegendItem['swatch'] =>
  (context) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash([...dash]);
    context.beginPath();
    context.moveTo(0, 7);
    context.lineTo(22, 7);
    context.stroke();
  };
