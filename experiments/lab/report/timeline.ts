import type { ReportConfiguration, ReportData } from './data.ts';
import { choice, el, missing, sample, section, teach } from './dom.ts';
import { digits, ms, words } from './format.ts';
import { NOT_INSTRUMENTED } from './parts.ts';
import { fill_swatch, PART_LOOK, responsive, STAGE_LOOK } from './style.ts';
import { draw_strip, type Lanes, layout, row_at, type Strip, strip_of, type View } from './timeline_draw.ts';
import { hide_tip, show_tip } from './tip.ts';

const DRAG_PX = 4;

/** One request, pass by pass. */
export function timeline_section(one: ReportConfiguration, { stages, parts }: ReportData): HTMLElement {
  const lead =
    'The last instrumented run from left to right: every pass of the GPU, where it began and how long it took.';
  const title = 'Timeline of one request';
  const { instrumented } = one;
  if (instrumented === null || instrumented.strip.rows.length === 0) {
    return section('timeline', title, 'gpu', lead, missing(NOT_INSTRUMENTED));
  }
  return section(
    'timeline',
    title,
    'gpu',
    lead,
    timeline(strip_of(instrumented, stages, parts)),
    teach(
      'Lanes are parts and colours are stages, or the other way round. Where no lane has a bar, the GPU had nothing to do.',
      'Drag across a stretch to look closer; click the strip, then the wheel zooms too. Double-click shows the whole again. With the keyboard: arrows move, + and − zoom, 0 shows the whole.',
    ),
  );
}

function timeline(strip: Strip): HTMLElement {
  const whole: View = { from: strip.begin, to: Math.max(strip.end, strip.begin + 1e-3) };
  let view = whole;
  let by: Lanes = 'part';
  let width = 0;
  let drag: { from: number; to: number } | null = null;
  let waiting = false;
  const canvas = el('canvas', {
    tabindex: '0',
    role: 'img',
    'aria-label': 'Timeline of GPU passes; arrows move, + and - zoom, 0 shows the whole',
  });
  const picked = el('div', { class: 'picked' });
  const box = el('div', { class: 'chart timeline' }, canvas, picked);
  const range = el('output', {});
  const key = el('div', { class: 'legend key' });

  const draw = () => {
    waiting = false;
    if (width === 0) return;
    draw_strip(canvas, width, strip, view, by);
    const from = view.from - strip.begin;
    range.textContent = `${digits(from)} to ${ms(view.to - strip.begin)} of ${ms(whole.to - whole.from)}`;
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
    const span = Math.min(Math.max(to - from, 1e-3), whole.to - whole.from);
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
    const by_ms = share * (view.to - view.from);
    look_at(view.from + by_ms, view.to + by_ms);
  };
  const share_at = (x: number) => {
    const { left, right } = layout(strip, by, width);
    return Math.min(1, Math.max(0, (x - left) / (right - left)));
  };
  const time_at = (x: number) => view.from + share_at(x) * (view.to - view.from);

  const hover = (event: PointerEvent) => {
    const row = row_at(strip, view, by, width, event.offsetX, event.offsetY);
    if (row === null) return hide_tip();
    const [stage, layer, part, begin_ms, gpu_ms] = row;
    show_tip(event.clientX, event.clientY, {
      title: `${words(strip.stages[stage] ?? '')}: ${words(strip.parts[part] ?? '')}`,
      lines: [
        { label: 'layer', value: layer >= 0 ? String(layer) : 'none' },
        { label: 'took', value: ms(gpu_ms) },
        { label: 'began at', value: ms(begin_ms - strip.begin) },
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

  const button = (text: string, label: string, action: () => void) => {
    const node = el('button', { type: 'button', 'aria-label': label, title: label }, text);
    node.addEventListener('click', action);
    return node;
  };
  const stages = [...new Set(strip.rows.map((row) => row[0]))].sort((a, b) => a - b);
  const jumps = stages.map((stage) => {
    const rows = strip.rows.filter((row) => row[0] === stage);
    const ends = rows.map((row) => row[3] + row[4]);
    const name = words(strip.stages[stage] ?? '');
    const last = ends.reduce((end, x) => Math.max(end, x), whole.from);
    return button(name, `show ${name} alone`, () => look_at(rows[0]?.[3] ?? whole.from, last));
  });
  const show_key = () => {
    const column = by === 'part' ? 0 : 2;
    const seen = [...new Set(strip.rows.map((row) => row[column]))].sort((a, b) => a - b);
    key.replaceChildren(
      ...seen.flatMap((i) => {
        const [stage, part] = [strip.stages[i], strip.parts[i]];
        const [name, look] = by === 'part' ? [stage, stage && STAGE_LOOK[stage]] : [part, part && PART_LOOK[part]];
        return name && look ? [el('span', {}, sample(fill_swatch(look)), words(name))] : [];
      }),
    );
  };
  show_key();
  const lanes = choice(
    'What the lanes are',
    [
      { value: 'part' as const, text: 'lanes: parts' },
      { value: 'stage' as const, text: 'lanes: stages' },
    ],
    by,
    (value) => {
      by = value;
      show_key();
      later();
    },
  );
  responsive(box, (now) => {
    width = now;
    draw();
  });
  return el(
    'figure',
    { class: 'plot' },
    el('div', { class: 'controls' }, key, lanes),
    el(
      'div',
      { class: 'controls' },
      el(
        'div',
        { class: 'choice', role: 'group', 'aria-label': 'Zoom' },
        button('whole', 'show the whole request', () => look_at(whole.from, whole.to)),
        ...jumps,
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
