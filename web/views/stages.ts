import { el, svg } from '../../experiments/lab/report/dom.ts';
import { ms, si } from '../../experiments/lab/report/format.ts';
import { hatched } from '../../experiments/lab/report/style.ts';
import type { StageName } from '../../experiments/lab/schema.ts';
import { words_of } from '../../experiments/lab/style.ts';
import type { AnswerView, Told } from '../protocol.ts';

const ROWS = ['preprocess', 'vision_encoder', 'projector', 'prefill', 'decode'] as const;
type Row = (typeof ROWS)[number];

/** Often enough to see it grow. Each drawing takes a little of the cores that a software adapter computes on. */
export const DRAW_MS = 200;

interface Parts {
  readonly bar: SVGElement;
  readonly time: HTMLElement;
  readonly facts: HTMLElement;
}

/** Bars of the stages: they grow while a request runs, and stay with what was measured. */
export function stage_bars() {
  const rows = new Map<Row, Parts>();
  const body = el('tbody', {});
  for (const row of ROWS) {
    const look = row === 'preprocess' ? 'rest' : row;
    const bar = svg('rect', { height: 16, width: '0', fill: hatched(look) });
    const time = el('td', { class: 'number' }, '');
    const facts = el('td', { class: 'number wide' }, '');
    rows.set(row, { bar, time, facts });
    const name = row === 'preprocess' ? 'preprocess' : words_of(row);
    const track = svg('svg', { class: 'bar', height: 16, width: '100%', 'aria-hidden': 'true' }, bar);
    body.append(el('tr', {}, el('th', { scope: 'row' }, name), el('td', { class: 'track' }, track), time, facts));
  }
  const node = el(
    'table',
    { class: 'stages' },
    el('caption', {}, 'Stages of this request: wall time between fences, no instruments'),
    el(
      'thead',
      {},
      el(
        'tr',
        {},
        el('th', { scope: 'col' }, 'stage'),
        el('th', { scope: 'col', class: 'track' }, el('span', { class: 'unseen' }, 'share')),
        el('th', { scope: 'col', class: 'number' }, 'time'),
        el('th', { scope: 'col', class: 'number wide' }, 'work'),
      ),
    ),
    body,
  );
  const times = new Map<Row, number>();
  let growing: { readonly row: Row; readonly since: number } | undefined;
  let timer: ReturnType<typeof setInterval> | undefined;

  const draw = () => {
    const now = new Map(times);
    if (growing) now.set(growing.row, (times.get(growing.row) ?? 0) + performance.now() - growing.since);
    const longest = Math.max(1e-9, ...now.values());
    for (const [row, { bar, time }] of rows) {
      const value = now.get(row);
      bar.setAttribute('width', `${value === undefined ? 0 : (100 * value) / longest}%`);
      const text = value === undefined ? '' : growing?.row === row ? `${value.toFixed(0)} ms …` : ms(value);
      if (time.textContent !== text) time.textContent = text;
    }
  };
  const end = () => {
    clearInterval(timer);
    timer = undefined;
    growing = undefined;
  };
  return {
    node,
    begin: () => {
      end();
      times.clear();
      for (const { facts } of rows.values()) facts.textContent = '';
      draw();
      timer = setInterval(draw, DRAW_MS);
    },
    hear: (told: Told) => {
      if (told.kind !== 'stage') return;
      if (told.wall_ms === undefined) growing = { row: told.stage, since: performance.now() };
      else {
        times.set(told.stage, told.wall_ms);
        growing = undefined;
      }
    },
    show: (answer: AnswerView) => {
      end();
      times.clear();
      times.set('preprocess', answer.preprocess_ms);
      for (const { stage, wall_ms, flops, bytes, launches } of answer.stages) {
        times.set(stage, wall_ms);
        const { facts } = rows.get(stage as StageName) as Parts;
        facts.textContent = `${si(flops, 'FLOP')}, ${si(bytes, 'B')}, ${launches} launches`;
      }
      draw();
    },
    end: () => {
      end();
      draw();
    },
  };
}
