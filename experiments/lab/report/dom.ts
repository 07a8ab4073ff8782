/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { NAMED, words_of } from '../style.ts';

type Child = Node | string | null | undefined;

/** Text stays text: children are nodes or strings, never markup. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

type Shape = Readonly<Record<string, string | number | undefined>>;

/** An element of a drawing. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Shape = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) node.setAttribute(name, typeof value === 'number' ? String(round(value)) : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** The clock a section's times come from, said beside its heading. */
export type Clock = 'wall' | 'gpu' | 'counted';
const CLOCKS: Readonly<Record<Clock, string>> = {
  wall: 'wall time, clean runs',
  gpu: 'GPU time, instrumented run',
  counted: 'counted, not timed',
};

export const clock_badge = (clock: Clock): HTMLElement => el('span', { class: `clock clock-${clock}` }, CLOCKS[clock]);

export function section(
  id: string,
  title: string,
  clock: Clock | null,
  lead: string | null,
  ...children: readonly Child[]
): HTMLElement {
  return el(
    'section',
    { id, 'aria-labelledby': `${id}-title` },
    el('h2', { id: `${id}-title` }, title, clock && ' ', clock && clock_badge(clock)),
    lead && el('p', { class: 'lead' }, lead),
    ...children,
  );
}

/** How to read what stands beside it. */
export const teach = (...lines: readonly string[]): HTMLElement =>
  el('aside', { class: 'teach' }, el('strong', {}, 'How to read it'), ...lines.map((line) => el('p', {}, line)));

/** Said where something was not measured. */
export const missing = (text: string): HTMLElement => el('p', { class: 'missing' }, text);

/** Wide tables scroll inside their own frame, also by keyboard. */
export const scrolling = (label: string, table: HTMLElement): HTMLElement =>
  el('div', { class: 'scrolling', role: 'region', tabindex: '0', 'aria-label': label }, table);

/** What it does is its name; what stands on it may be a sign. */
export function button(words: string, name: string, action: () => void, ...before: readonly Node[]): HTMLElement {
  const node = el('button', { type: 'button', 'aria-label': name, title: name }, ...before, words);
  node.addEventListener('click', action);
  return node;
}

/** Buttons of which one is on. */
export function choice<T extends string>(
  label: string,
  options: readonly { readonly value: T; readonly text: string }[],
  first: T,
  on_choice: (value: T) => void,
): HTMLElement {
  const buttons = options.map(({ value, text }) => {
    const button = el('button', { type: 'button', 'data-value': value, 'aria-pressed': String(value === first) }, text);
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      on_choice(value);
    });
    return button;
  });
  return el('div', { class: 'choice', role: 'group', 'aria-label': label }, ...buttons);
}

export interface LegendItem {
  readonly name: string;
  /** The small picture before the name. */
  readonly swatch: Element;
}

/** A button a series; a press hides it. The last one shown stays. */
export function legend(items: readonly LegendItem[], on_change: (hidden: ReadonlySet<string>) => void): HTMLElement {
  const hidden = new Set<string>();
  const buttons = items.map(({ name, swatch }) => {
    const button = el('button', { type: 'button', 'data-series': name, 'aria-pressed': 'true' }, swatch, spaced(name));
    button.addEventListener('click', () => {
      if (hidden.has(name)) hidden.delete(name);
      else if (hidden.size < items.length - 1) hidden.add(name);
      button.setAttribute('aria-pressed', String(!hidden.has(name)));
      on_change(hidden);
    });
    return button;
  });
  return el('div', { class: 'legend', role: 'group', 'aria-label': 'Series: press to hide or show' }, ...buttons);
}

/** Names without buttons: nothing to press. */
export const key = (items: readonly LegendItem[]): HTMLElement =>
  el('div', { class: 'legend key' }, ...items.map(({ name, swatch }) => el('span', {}, swatch, spaced(name))));

/** Stages and parts as words; other names as they are. */
export const spaced = (name: string): string =>
  Object.hasOwn(NAMED, name) ? words_of(name as keyof typeof NAMED) : name;
