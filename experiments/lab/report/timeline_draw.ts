import type { Instrumented, PartName, StageName } from '../schema.ts';
import { draw_axis, fresh } from './canvas.ts';
import { words } from './format.ts';
import { font, hatched, type Look, PART_LOOK, STAGE_LOOK, theme } from './style.ts';

export type StripRow = Instrumented['strip']['rows'][number];
export type Lanes = 'part' | 'stage';

export interface Strip {
  /** By begin. */
  readonly rows: readonly StripRow[];
  readonly stages: readonly StageName[];
  readonly parts: readonly PartName[];
  readonly begin: number;
  readonly end: number;
}

export interface View {
  readonly from: number;
  readonly to: number;
}

export interface Layout {
  readonly left: number;
  readonly right: number;
  readonly height: number;
  /** Indices into stages or parts, from the top. */
  readonly lanes: readonly number[];
}

const LANE_PX = 30;
const BAR_PX = 22;
const TOP_PX = 6;
const AXIS_PX = 40;
const LABEL_PX = 104;

export function strip_of({ strip }: Instrumented, stages: readonly StageName[], parts: readonly PartName[]): Strip {
  const rows = [...strip.rows].sort((a, b) => a[3] - b[3]);
  const begin = rows[0]?.[3] ?? 0;
  return { rows, stages, parts, begin, end: rows.reduce((end, row) => Math.max(end, row[3] + row[4]), begin) };
}

const lane_of = (row: StripRow, by: Lanes): number => (by === 'part' ? row[2] : row[0]);

export function layout(strip: Strip, by: Lanes, width: number): Layout {
  const seen = new Set(strip.rows.map((row) => lane_of(row, by)));
  const lanes = [...seen].sort((a, b) => a - b);
  return { left: LABEL_PX, right: width - 8, height: TOP_PX + lanes.length * LANE_PX + AXIS_PX, lanes };
}

/** The strip between two times. Rows thinner than a pixel are drawn as one, and a pixel once. */
export function draw_strip(canvas: HTMLCanvasElement, width: number, strip: Strip, view: View, by: Lanes): void {
  const { left, right, height, lanes } = layout(strip, by, width);
  const pen = fresh(canvas, width, height);
  const { ink, grid } = theme();
  const names: readonly string[] = by === 'part' ? strip.parts : strip.stages;
  const bottom = TOP_PX + lanes.length * LANE_PX;
  pen.font = font(12);
  pen.textAlign = 'right';
  for (const [i, lane] of lanes.entries()) {
    const y = TOP_PX + i * LANE_PX;
    pen.fillStyle = ink;
    pen.fillText(words(names[lane] ?? ''), left - 10, y + BAR_PX / 2);
    pen.fillStyle = grid;
    pen.fillRect(left, y + BAR_PX + 3, right - left, 1);
  }
  // The other of stage and part gives the colour, so that a picture shows both.
  const looks: readonly (Look | undefined)[] =
    by === 'part' ? strip.stages.map((stage) => STAGE_LOOK[stage]) : strip.parts.map((part) => PART_LOOK[part]);
  const fills = looks.map((look) => look && hatched(pen, look, 1));
  const scale = (right - left) / (view.to - view.from);
  const thinnest = 1 / devicePixelRatio;
  const painted = new Map<number, number>();
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, right - left, bottom);
  pen.clip();
  pen.font = font(11, '600');
  pen.textAlign = 'center';
  for (const row of strip.rows) {
    const [stage, layer, part, begin_ms, gpu_ms] = row;
    if (begin_ms > view.to || begin_ms + gpu_ms < view.from) continue;
    const lane = lane_of(row, by);
    const x0 = Math.floor((left + (begin_ms - view.from) * scale) / thinnest) * thinnest;
    const end = Math.round((left + (begin_ms + gpu_ms - view.from) * scale) / thinnest) * thinnest;
    const x1 = Math.max(end, x0 + thinnest);
    const start = Math.max(x0, painted.get(lane) ?? left);
    if (x1 <= start) continue;
    const y = TOP_PX + lanes.indexOf(lane) * LANE_PX;
    // Hatching on a sliver would only make it paler.
    const look = by === 'part' ? stage : part;
    pen.fillStyle = (x1 - start > 6 ? fills[look] : looks[look]?.colour) ?? ink;
    // Neighbours keep a hairline apart where there is room for one.
    const drawn = x1 - start > 4 ? x1 - thinnest : x1;
    pen.fillRect(start, y, drawn - start, BAR_PX);
    painted.set(lane, x1);
    const [from, to] = [Math.max(x0, left), Math.min(x1, right)];
    if (layer >= 0 && to - from > 56) label(pen, `layer ${layer}`, (from + to) / 2, y);
  }
  pen.restore();
  const label_text = 'time since the first pass (ms)';
  const [from, to] = [view.from - strip.begin, view.to - strip.begin];
  draw_axis(pen, { left, right, y: bottom, from, to, label: label_text });
}

/** On a plate, for hatching lies below. */
function label(pen: CanvasRenderingContext2D, text: string, x: number, y: number): void {
  pen.fillStyle = 'rgba(0, 0, 0, 0.62)';
  pen.fillRect(x - 24, y + 3, 48, BAR_PX - 6);
  pen.fillStyle = '#ffffff';
  pen.fillText(text, x, y + BAR_PX / 2);
}

/** The row under a pointer, with three pixels of mercy for thin ones. */
export function row_at(strip: Strip, view: View, by: Lanes, width: number, x: number, y: number): StripRow | null {
  const { left, right, lanes } = layout(strip, by, width);
  const lane = lanes[Math.floor((y - TOP_PX) / LANE_PX)];
  if (lane === undefined || x < left || x > right) return null;
  const per_px = (view.to - view.from) / (right - left);
  const at = view.from + (x - left) * per_px;
  let best = 3 * per_px;
  let found: StripRow | null = null;
  for (const row of strip.rows) {
    if (lane_of(row, by) !== lane) continue;
    const away = Math.max(row[3] - at, at - row[3] - row[4], 0);
    if (away < best) {
      best = away;
      found = row;
    }
    if (away === 0) return row;
  }
  return found;
}
