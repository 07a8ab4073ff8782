import { el } from './dom.ts';

export interface Tip {
  readonly title: string;
  readonly lines: readonly { readonly label: string; readonly value: string; readonly strong?: boolean }[];
  readonly note?: string;
}

let box: HTMLElement | undefined;

/** One tooltip for the page, beside the pointer and never outside the window. */
export function show_tip(x: number, y: number, { title, lines, note }: Tip): void {
  if (box === undefined) {
    box = el('div', { class: 'tip', role: 'status' });
    document.body.append(box);
  }
  box.replaceChildren(
    el('strong', {}, title),
    el(
      'dl',
      {},
      ...lines.flatMap(({ label, value, strong }) => {
        const style = strong ? 'here' : undefined;
        return [el('dt', { class: style }, label), el('dd', { class: style }, value)];
      }),
    ),
    ...(note === undefined ? [] : [el('p', {}, note)]),
  );
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const left = x + 16 + width <= clientWidth ? x + 16 : x - 16 - width;
  const top = y + 16 + height <= clientHeight ? y + 16 : y - 16 - height;
  box.style.left = `${Math.max(4, Math.min(left, clientWidth - width - 4))}px`;
  box.style.top = `${Math.max(4, top)}px`;
}

export function hide_tip(): void {
  if (box !== undefined) box.hidden = true;
}
