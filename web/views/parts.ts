import { el } from '../../experiments/lab/report/dom.ts';

/** A view of the page: its section, and what it does when the app has changed. */
export interface View {
  readonly section: HTMLElement;
  readonly update: () => void;
}

export function labelled(text: string, control: HTMLElement, hint?: string): HTMLElement {
  const { id } = control;
  if (hint !== undefined) control.setAttribute('aria-describedby', `${id}-hint`);
  return el(
    'div',
    { class: 'field' },
    el('label', { for: id }, text),
    control,
    hint === undefined ? null : el('small', { id: `${id}-hint`, class: 'hint' }, hint),
  );
}

export function action(
  text: string,
  run: () => void,
  attributes: Readonly<Record<string, string>> = {},
): HTMLButtonElement {
  const node = el('button', { type: 'button', ...attributes }, text);
  node.addEventListener('click', run);
  return node;
}

/** Saves a text as a file of the visitor's. */
export function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const page_section = (id: string, title: string, lead: string, ...children: (Node | null)[]): HTMLElement =>
  el(
    'section',
    { id: `view-${id}`, class: 'view', 'aria-labelledby': `view-${id}-title`, tabindex: '-1' },
    el('h2', { id: `view-${id}-title` }, title),
    el('p', { class: 'lead' }, lead),
    ...children,
  );

export const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;
