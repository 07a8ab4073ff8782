import type { StageName } from '../schema.ts';
import { type KernelFacts, kernel_facts, type PageConfiguration, type PageData } from './data.ts';
import { choice, el, missing, section, spaced, teach } from './dom.ts';
import { count, digits, NONE, or_none, percent, si } from './format.ts';
import { NOT_INSTRUMENTED } from './parts.ts';

interface Column {
  readonly id: string;
  readonly head: string;
  readonly unit?: string;
  /** What rows are sorted by; null goes last. */
  readonly value: (row: KernelFacts) => string | number | null;
  readonly show: (row: KernelFacts) => string;
}

const number_column = (
  id: string,
  head: string,
  unit: string | undefined,
  value: (row: KernelFacts) => number | null,
  show: (value: number) => string = digits,
): Column => ({ id, head, unit, value, show: (row) => or_none(value(row), show) });

const text_column = (id: string, head: string, value: (row: KernelFacts) => string | null): Column => ({
  id,
  head,
  value,
  show: (row) => value(row) ?? NONE,
});

const scaled = (value: number | null, by: number): number | null => (value === null ? null : value / by);

/** What matters most stands first: a narrow window cuts off the end. */
export const COLUMNS: readonly Column[] = [
  text_column('kernel', 'kernel', (row) => row.kernel),
  text_column('stage', 'stage', (row) => spaced(row.stage)),
  text_column('part', 'part', (row) => spaced(row.part)),
  number_column('gpu_ms', 'GPU time', 'ms', (row) => row.gpu_ms),
  number_column('share', 'share', undefined, (row) => row.share, percent),
  number_column('efficiency', 'efficiency', undefined, (row) => row.efficiency, percent),
  text_column('bound', 'bound by', (row) => row.bound),
  number_column('dispatches', 'launches', undefined, (row) => row.dispatches, count),
  number_column('flops_per_s', 'rate', 'GFLOP/s', (row) => scaled(row.flops_per_s, 1e9)),
  number_column('bytes_per_s', 'traffic', 'GB/s', (row) => scaled(row.bytes_per_s, 1e9)),
  number_column('floor_ms', 'floor', 'ms', (row) => row.floor_ms),
  number_column('flops', 'work', 'GFLOP', (row) => row.flops / 1e9),
  number_column('bytes', 'moved', 'MB', (row) => row.bytes / 1e6),
];

export interface Order {
  readonly by: string;
  readonly ascending: boolean;
}

export function sorted_rows(rows: readonly KernelFacts[], { by, ascending }: Order): KernelFacts[] {
  const column = COLUMNS.find(({ id }) => id === by) as Column;
  const sign = ascending ? 1 : -1;
  return [...rows].sort((a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return sign * (typeof x === 'number' ? x - (y as number) : x.localeCompare(y as string));
  });
}

export function kernels_section(one: PageConfiguration, { stages, run }: PageData): HTMLElement {
  const lead = 'One row for each kernel, by stage and part. Press a column head to sort by it.';
  if (one.instrumented === null) return section('kernels', 'Kernels', 'gpu', lead, missing(NOT_INSTRUMENTED));
  const rows = kernel_facts(one.instrumented.kernels);
  const below = rows.filter((row) => row.below_floor).length;
  return section(
    'kernels',
    'Kernels',
    'gpu',
    lead,
    below > 0
      ? el(
          'p',
          { class: 'fault-note' },
          `${below} ${below === 1 ? 'row lies' : 'rows lie'} below the floor, which nothing can: a fault of the ceilings' probes or of the cost model. Marked ▼; do not read efficiency there.`,
        )
      : null,
    ...kernel_table(
      rows,
      stages.filter((stage) => rows.some((row) => row.stage === stage)),
    ),
    teach(
      'Work is 2 × the multiply-adds that the mathematics needs; moved bytes count each operand once. Both are counted exactly from what was launched, only the time is measured.',
      run.ceilings === null
        ? 'This run has no ceilings of its adapter, so there are no floors and no efficiencies.'
        : 'The floor is the least time that the measured ceilings of this adapter allow for that work; efficiency is floor / measured. A long row with a low efficiency is where an engineer should look first.',
      'Bound says what sets the floor: arithmetic (compute), memory traffic (memory) or the price of a launch (launch).',
    ),
  );
}

const is_numeric = ({ id }: Column): boolean => !['kernel', 'stage', 'part', 'bound'].includes(id);
const name_of = ({ head, unit }: Column): string => (unit === undefined ? head : `${head} (${unit})`);

/** Filter, order and table. Heads sort where they are seen; where rows are cards, a list of names does. */
function kernel_table(rows: readonly KernelFacts[], stages: readonly StageName[]): HTMLElement[] {
  let order: Order = { by: 'gpu_ms', ascending: false };
  let stage: StageName | 'all' = 'all';
  const select = el(
    'select',
    { id: 'kernel-order' },
    ...COLUMNS.map((column) => el('option', { value: column.id }, name_of(column))),
  );
  const heads = COLUMNS.map((column) => {
    const button = el('button', { type: 'button', 'data-sort': column.id }, el('span', {}, column.head));
    button.append(' ', el('small', {}, column.unit ?? ''));
    button.addEventListener('click', () => sort_by(column, order.by === column.id ? !order.ascending : undefined));
    return el('th', { scope: 'col', role: 'columnheader', class: is_numeric(column) ? 'number' : undefined }, button);
  });
  const body = el('tbody', { role: 'rowgroup' });
  const foot = el('tfoot', { role: 'rowgroup' });
  const update = () => {
    for (const [i, head] of heads.entries()) {
      const sorted = COLUMNS[i]?.id === order.by;
      head.setAttribute('aria-sort', sorted ? (order.ascending ? 'ascending' : 'descending') : 'none');
    }
    select.value = order.by;
    const shown = rows.filter((row) => stage === 'all' || row.stage === stage);
    body.replaceChildren(...sorted_rows(shown, order).map(table_row));
    foot.replaceChildren(totals(shown));
  };
  const sort_by = (column: Column, ascending = !is_numeric(column)) => {
    order = { by: column.id, ascending };
    update();
  };
  select.addEventListener('change', () => sort_by(COLUMNS[select.selectedIndex] as Column));
  update();
  const filter = choice(
    'Stages shown in the table',
    [{ value: 'all' as const, text: 'all stages' }, ...stages.map((value) => ({ value, text: spaced(value) }))],
    stage,
    (value) => {
      stage = value;
      update();
    },
  );
  const table = el(
    'table',
    { class: 'kernels cards-narrow', role: 'table' },
    el('caption', {}, 'Picked configuration, instrumented GPU time'),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...heads)),
    body,
    foot,
  );
  return [
    el(
      'div',
      { class: 'controls' },
      filter,
      el('span', { class: 'narrow-only' }, el('label', { for: 'kernel-order' }, 'Order by '), select),
    ),
    el('div', { class: 'scrolling', role: 'region', tabindex: '0', 'aria-label': 'Kernels' }, table),
  ];
}

function table_row(row: KernelFacts): HTMLElement {
  const cells = COLUMNS.map((column) => {
    const side = is_numeric(column) ? 'number' : undefined;
    const common = { class: side, 'data-column': column.id };
    if (column.id === 'kernel') {
      const variant = row.variant === '' ? null : el('small', {}, row.variant);
      return el(
        'th',
        { ...common, scope: 'row', role: 'rowheader' },
        el('span', {}, row.kernel),
        variant && ' ',
        variant,
      );
    }
    const cell = el('td', { ...common, role: 'cell', 'data-label': name_of(column) }, column.show(row));
    if (column.id === 'flops' && row.executed_flops !== row.flops) {
      cell.title = `${si(row.executed_flops, 'FLOP')} executed, tiles and masked squares included`;
    }
    if (column.id === 'bytes') {
      const { weight_bytes, read_bytes, written_bytes, kv_bytes } = row;
      cell.title = `weights ${si(weight_bytes, 'B')}, read ${si(read_bytes, 'B')}, written ${si(written_bytes, 'B')}, KV cache ${si(kv_bytes, 'B')}`;
    }
    if (column.id === 'efficiency' && row.below_floor) cell.prepend(el('span', { title: 'below its floor' }, '▼ '));
    if (column.id === 'share' && row.share !== null) cell.prepend(share_bar(row.share));
    return cell;
  });
  return el('tr', { role: 'row', class: row.below_floor ? 'fault' : undefined, 'data-stage': row.stage }, ...cells);
}

function share_bar(share: number): HTMLElement {
  const bar = el('span', { class: 'bar', 'aria-hidden': 'true' });
  bar.style.width = `${Math.max(1, 40 * share)}px`;
  return bar;
}

function totals(rows: readonly KernelFacts[]): HTMLElement {
  const sum = (of: (row: KernelFacts) => number | null) => rows.reduce((total, row) => total + (of(row) ?? 0), 0);
  const gpu_ms = sum((row) => row.gpu_ms);
  const floors = rows.every((row) => row.floor_ms !== null) ? sum((row) => row.floor_ms) : null;
  const cells: Readonly<Record<string, string>> = {
    kernel: `${rows.length} rows`,
    dispatches: count(sum((row) => row.dispatches)),
    gpu_ms: digits(gpu_ms),
    share: percent(sum((row) => row.share)),
    flops: digits(sum((row) => row.flops) / 1e9),
    bytes: digits(sum((row) => row.bytes) / 1e6),
    floor_ms: or_none(floors, digits),
    efficiency: floors === null || gpu_ms === 0 ? NONE : percent(floors / gpu_ms),
  };
  return el(
    'tr',
    { role: 'row' },
    ...COLUMNS.map((column, i) =>
      i === 0
        ? el('th', { scope: 'row', role: 'rowheader' }, cells.kernel as string)
        : el(
            'td',
            { class: is_numeric(column) ? 'number' : undefined, role: 'cell', 'data-label': name_of(column) },
            cells[column.id] ?? '',
          ),
    ),
  );
}
