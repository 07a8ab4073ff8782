import type { Look, Strip } from '../../charts.ts';
import { style_of } from '../../style.ts';
import { el, spaced } from '../dom.ts';
import { measure, round_ticks, tick } from '../format.ts';
import { fill_swatch, fitted, font, hatched_on, responsive, text_width, theme } from '../style.ts';
import { hide_tip, show_tip } from '../tip.ts';

type Span = Strip['tracks'][number]['spans'][number];

interface View {
  readonly from: number;
  readonly to: number;
}

const LANE_PX = 30;
const BAR_PX = 22;
const TOP_PX = 6;
const AXIS_PX = 40;
const DRAG_PX = 4;

/** What ran when, on a canvas: spans are thousands. Drag, wheel, keys and buttons look closer. */
export function strip_view(chart: Strip, label: string): HTMLElement {
  const whole = whole_of(chart);
  let view = whole;
  let width = 0;
  let drag: { from: number; to: number } | null = null;
  let waiting = false;
  const canvas = el('canvas', {
    tabindex: '0',
    role: 'img',
    'aria-label': `${label}; arrows move, + and - zoom, 0 shows the whole`,
  });
  const picked = el('div', { class: 'picked' });
  const box = el('div', { class: 'chart timeline' }, canvas, picked);
  const range = el('output', {});

  const draw = () => {
    waiting = false;
    if (width === 0) return;
    draw_strip(canvas, width, chart, view, whole.from);
    const { label: axis } = chart.time;
    range.textContent = `${measure(view.from - whole.from, axis)} to ${measure(view.to - whole.from, axis)} of ${measure(whole.to - whole.from, axis)}`;
    picked.hidden = drag === null;
    if (drag !== null) {
      picked.style.left = `${Math.min(drag.from, drag.to)}px`;
      picked.style.width = `${Math.abs(drag.to - drag.from)}px`;
    }
  };
  const later = () => {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  };
  const look_at = (from: number, to: number) => {
    const span = Math.min(Math.max(to - from, (whole.to - whole.from) * 1e-7), whole.to - whole.from);
    const start = Math.min(Math.max(from, whole.from), whole.to - span);
    view = { from: start, to: start + span };
    hide_tip();
    later();
  };
  const zoom = (factor: number, share = 0.5) => {
    const at = view.from + share * (view.to - view.from);
    look_at(at - (at - view.from) * factor, at + (view.to - at) * factor);
  };
  const move = (share: number) => {
    const by = share * (view.to - view.from);
    look_at(view.from + by, view.to + by);
  };
  const share_at = (x: number) => {
    const left = left_of(chart, width);
    return Math.min(1, Math.max(0, (x - left) / (width - 8 - left)));
  };
  const time_at = (x: number) => view.from + share_at(x) * (view.to - view.from);

  const hover = (event: PointerEvent) => {
    const found = span_at(chart, view, width, event.offsetX, event.offsetY);
    if (found === null) return hide_tip();
    const { track, span } = found;
    const { label: axis } = chart.time;
    show_tip(event.clientX, event.clientY, {
      title: span.name,
      lines: [
        { label: 'track', value: spaced(track) },
        ...(typeof span.look === 'string' ? [{ label: 'what', value: spaced(span.look) }] : []),
        { label: 'took', value: measure(span.to - span.from, axis) },
        { label: 'began at', value: measure(span.from - whole.from, axis) },
      ],
    });
  };
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    drag = { from: event.offsetX, to: event.offsetX };
    canvas.setPointerCapture(event.pointerId);
    hide_tip();
  });
  canvas.addEventListener('pointermove', (event) => {
    if (drag === null) return hover(event);
    drag = { from: drag.from, to: event.offsetX };
    later();
  });
  canvas.addEventListener('pointerup', () => {
    if (drag !== null && Math.abs(drag.to - drag.from) > DRAG_PX) {
      const ends = [time_at(drag.from), time_at(drag.to)];
      look_at(Math.min(...ends), Math.max(...ends));
    }
    drag = null;
    later();
  });
  canvas.addEventListener('pointercancel', () => {
    drag = null;
    later();
  });
  canvas.addEventListener('pointerleave', hide_tip);
  canvas.addEventListener('dblclick', () => look_at(whole.from, whole.to));
  // Only once it was clicked: a page that scrolls past must not get caught here.
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return;
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / 800);
      else zoom(Math.exp(event.deltaY / 500), share_at(event.offsetX));
    },
    { passive: false },
  );
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => move(-0.2),
    ArrowRight: () => move(0.2),
    '+': () => zoom(0.5),
    '=': () => zoom(0.5),
    '-': () => zoom(2),
    '0': () => look_at(whole.from, whole.to),
  };
  canvas.addEventListener('keydown', (event) => {
    const action = actions[event.key];
    if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  responsive(box, (now) => {
    width = now;
    draw();
  });

  const button = (words: string, name: string, action: () => void, ...before: Node[]) => {
    const node = el('button', { type: 'button', 'aria-label': name, title: name }, ...before, words);
    node.addEventListener('click', action);
    return node;
  };
  const spans = chart.tracks.flatMap((track) => track.spans).sort((a, b) => a.from - b.from);
  const looks = [...new Set(spans.map(({ look }) => look))];
  const jumps = looks.map((look) => {
    const own = spans.filter((span) => span.look === look);
    const from = own.reduce((least, span) => Math.min(least, span.from), whole.to);
    const to = own.reduce((most, span) => Math.max(most, span.to), whole.from);
    const name = typeof look === 'string' ? spaced(look) : (own[0]?.name ?? '');
    return button(name, `show ${name} alone`, () => look_at(from, to), fill_swatch(look));
  });
  return el(
    'div',
    {},
    el('div', { class: 'controls' }, el('div', { class: 'legend' }, ...jumps)),
    el(
      'div',
      { class: 'controls' },
      el(
        'div',
        { class: 'choice', role: 'group', 'aria-label': 'Zoom' },
        button('whole', 'show the whole', () => look_at(whole.from, whole.to)),
        button('+', 'zoom in', () => zoom(0.5)),
        button('−', 'zoom out', () => zoom(2)),
        button('←', 'earlier', () => move(-0.4)),
        button('→', 'later', () => move(0.4)),
      ),
      range,
    ),
    box,
  );
}

function whole_of({ tracks }: Strip): View {
  const spans = tracks.flatMap((track) => track.spans);
  const from = spans.reduce((least, span) => Math.min(least, span.from), Number.POSITIVE_INFINITY);
  const to = spans.reduce((most, span) => Math.max(most, span.to), Number.NEGATIVE_INFINITY);
  return from < to ? { from, to } : { from: 0, to: 1 };
}

const left_of = ({ tracks }: Strip, width: number): number =>
  Math.min(width * 0.35, 14 + Math.max(0, ...tracks.map(({ name }) => text_width(spaced(name)))));

/** A canvas of this many CSS pixels, cleared and sharp on any screen, and its pen. */
function fresh(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
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

/** The strip between two times. Spans thinner than a pixel are drawn as one, and a pixel once. */
function draw_strip(canvas: HTMLCanvasElement, width: number, chart: Strip, view: View, start: number): void {
  const { tracks, time } = chart;
  const [left, right, bottom] = [left_of(chart, width), width - 8, TOP_PX + tracks.length * LANE_PX];
  const pen = fresh(canvas, width, bottom + AXIS_PX);
  const { ink, grid } = theme();
  const fills = new Map<Look, CanvasPattern>();
  const fill = (look: Look) => {
    const made = fills.get(look) ?? hatched_on(pen, look);
    fills.set(look, made);
    return made;
  };
  const scale = (right - left) / (view.to - view.from);
  const thinnest = 1 / devicePixelRatio;
  for (const [i, { name, spans }] of tracks.entries()) {
    const y = TOP_PX + i * LANE_PX;
    pen.font = font(12);
    pen.textAlign = 'right';
    pen.fillStyle = ink;
    pen.fillText(fitted(spaced(name), left - 10), left - 10, y + BAR_PX / 2);
    pen.fillStyle = grid;
    pen.fillRect(left, y + BAR_PX + 3, right - left, 1);
    pen.font = font(11, '600');
    pen.textAlign = 'center';
    let painted = left;
    for (const span of spans) {
      if (span.from > view.to || span.to < view.from) continue;
      const x0 = Math.floor((left + (span.from - view.from) * scale) / thinnest) * thinnest;
      const end = Math.round((left + (span.to - view.from) * scale) / thinnest) * thinnest;
      const x1 = Math.min(Math.max(end, x0 + thinnest), right);
      const from = Math.max(x0, painted);
      if (x1 <= from) continue;
      // Hatching on a sliver would only make it paler.
      pen.fillStyle = x1 - from > 6 ? fill(span.look) : style_of(span.look).color;
      // Neighbours keep a hairline apart where there is room for one.
      pen.fillRect(from, y, (x1 - from > 4 ? x1 - thinnest : x1) - from, BAR_PX);
      painted = x1;
      const room = Math.min(x1, right) - Math.max(x0, left);
      if (room > 56) name_span(pen, span.name, Math.max(x0, left) + room / 2, y, room);
    }
  }
  draw_time(pen, time.label, left, right, bottom, [view.from - start, view.to - start]);
}

/** On a plate, for hatching lies below. */
function name_span(pen: CanvasRenderingContext2D, name: string, x: number, y: number, room: number): void {
  const wide = pen.measureText(name).width + 8;
  if (wide > room - 4) return;
  pen.fillStyle = 'rgba(0, 0, 0, 0.62)';
  pen.fillRect(x - wide / 2, y + 3, wide, BAR_PX - 6);
  pen.fillStyle = '#ffffff';
  pen.fillText(name, x, y + BAR_PX / 2);
}

function draw_time(
  pen: CanvasRenderingContext2D,
  label: string,
  left: number,
  right: number,
  y: number,
  [from, to]: readonly [number, number],
): void {
  const { muted, grid } = theme();
  pen.font = font(12);
  pen.textAlign = 'center';
  let end = Number.NEGATIVE_INFINITY;
  for (const value of round_ticks(from, to, (right - left) / 80)) {
    const x = left + ((value - from) / (to - from)) * (right - left);
    const half = text_width(tick(value)) / 2;
    pen.fillStyle = grid;
    pen.fillRect(Math.round(x), y, 1, 4);
    if (x - half < end + 6 || x + half > right + 8) continue;
    end = x + half;
    pen.fillStyle = muted;
    pen.fillText(tick(value), x, y + 12);
  }
  pen.font = font(12, '600');
  pen.fillStyle = muted;
  pen.fillText(label, (left + right) / 2, y + 30);
}

/** The span under a pointer, with three pixels of mercy for thin ones. */
function span_at(chart: Strip, view: View, width: number, x: number, y: number): { track: string; span: Span } | null {
  const left = left_of(chart, width);
  const lane = chart.tracks[Math.floor((y - TOP_PX) / LANE_PX)];
  if (lane === undefined || x < left || x > width - 8) return null;
  const per_px = (view.to - view.from) / (width - 8 - left);
  const at = view.from + (x - left) * per_px;
  let best = 3 * per_px;
  let found: Span | null = null;
  for (const span of lane.spans) {
    const away = Math.max(span.from - at, at - span.to, 0);
    if (away < best) [best, found] = [away, span];
    if (away === 0) return { track: lane.name, span };
  }
  return found && { track: lane.name, span: found };
}
