import { round_ticks, tick } from './format.ts';
import { font, theme } from './style.ts';

/** Clears a canvas of this many CSS pixels, sharp on any screen, and gives its pen. */
export function fresh(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext('2d') as CanvasRenderingContext2D;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.scale(scale, scale);
  pen.textBaseline = 'middle';
  return pen;
}

export interface HorizontalAxis {
  readonly left: number;
  readonly right: number;
  readonly y: number;
  readonly from: number;
  readonly to: number;
  readonly label: string;
  /** Whole numbers only, and where in its cell a number stands. */
  readonly cells?: boolean;
}

/** Numbers and a name with unit below a picture; 38 pixels high. */
export function draw_axis(
  pen: CanvasRenderingContext2D,
  { left, right, y, from, to, label, cells }: HorizontalAxis,
): void {
  const { muted, grid } = theme();
  pen.font = font(12);
  pen.textAlign = 'center';
  const ticks = round_ticks(from, to, (right - left) / 80).filter((value) => !cells || Number.isInteger(value));
  for (const value of ticks) {
    const x = left + ((value + (cells ? 0.5 : 0) - from) / (to - from)) * (right - left);
    if (x > right + 0.5) continue;
    pen.fillStyle = grid;
    pen.fillRect(Math.round(x), y, 1, 4);
    pen.fillStyle = muted;
    pen.fillText(tick(value), x, y + 12);
  }
  pen.font = font(12, '600');
  pen.fillStyle = muted;
  pen.fillText(label, (left + right) / 2, y + 30);
}
