import { type Table, written } from '../tables.ts';
import { FORMULAS_EXPLAINED, names_formulas } from '../words.ts';
import { el, spaced } from './dom.ts';
import { NONE } from './format.ts';

/** More columns than this become a card a row on a narrow screen. */
const MOST_NARROW = 3;
/** More columns than this scroll in their own frame on any screen. */
const MOST_CARDS = 24;

/** Words that are shorter fit a card and are not broken. */
const LONGEST_WHOLE = 14;

/** Any table. On a narrow screen each row is a card, so that no column is out of sight; roles keep it a table to readers. */
export function table_view({ title, columns, rows, note }: Table): HTMLElement {
  const side = (i: number) => (columns[i]?.unit === 'text' ? undefined : 'number');
  const cards = columns.length > MOST_NARROW && columns.length <= MOST_CARDS;
  const head = columns.map(({ name }, i) => el('th', { scope: 'col', role: 'columnheader', class: side(i) }, name));
  const body = rows.map((row) =>
    el(
      'tr',
      { role: 'row' },
      ...columns.map((column, i) => {
        const value = row[i] ?? null;
        const text = value === null || value === '' ? NONE : spaced(written(value, column));
        if (i === 0) return el('th', { scope: 'row', role: 'rowheader' }, text);
        const whole = text.split(/\s/).every(({ length }) => length <= LONGEST_WHOLE) ? 'whole' : undefined;
        const look = [side(i), whole].filter((name) => name !== undefined).join(' ');
        return el('td', { class: look || undefined, role: 'cell', 'data-label': column.name }, text);
      }),
    ),
  );
  const table = el(
    'table',
    { class: cards ? 'cards-narrow' : undefined, role: 'table' },
    el('caption', {}, title),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...head)),
    el('tbody', { role: 'rowgroup' }, ...body),
  );
  const explained = names_formulas([
    title,
    note,
    ...columns.map(({ name }) => name),
    ...rows.flatMap((row) => row.map(String)),
  ]);
  return el(
    'div',
    {},
    el('div', { class: 'scrolling', role: 'region', tabindex: '0', 'aria-label': title }, table),
    note === undefined ? null : el('p', { class: 'caption' }, note),
    explained ? el('p', { class: 'caption' }, FORMULAS_EXPLAINED) : null,
  );
}

/** The table that says the same as a chart, made when it is asked for. */
export function numbers_fold(make: () => Table): HTMLElement {
  const fold = el('details', { class: 'numbers' }, el('summary', {}, 'The numbers as a table'));
  fold.addEventListener('toggle', () => {
    if (fold.open && fold.children.length === 1) fold.append(table_view(make()));
  });
  return fold;
}
