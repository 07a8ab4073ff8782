import type { Column } from '../tables.ts';
import type { PageData } from './data.ts';
import { el, missing, section } from './dom.ts';
import { digits, si } from './format.ts';
import { table_view } from './table_view.ts';

type Row = readonly [string, string];
const COLUMNS: readonly Column[] = ['what', 'value'].map((name) => ({ name, unit: 'text' }));

/** Everything that another run must have in common with this one to be compared with it. */
export function provenance_section({ run, ended, warnings }: PageData): HTMLElement {
  const { provenance, protocol, knobs, dataset } = run.fingerprint;
  const { adapter, model, host, toggles, ...build } = provenance;
  const identity: Row[] = [
    ['experiment', run.experiment],
    ['run', run.run],
    ['started', run.started],
    ['ended', ended],
  ];
  const groups: readonly (readonly [string, readonly Row[]])[] = [
    ['Run', identity],
    ['Build', flat(build)],
    ['Adapter', [...flat(adapter), ...flat(toggles, 'toggles')]],
    ['Model', flat(model)],
    ['Host', flat(host)],
    ['Protocol', flat(protocol)],
    ...(dataset ? [['Data set', flat(dataset)] as const] : []),
    ['Knobs', Object.keys(knobs).length > 0 ? flat(knobs) : [['all', 'default']]],
    ['Ceilings', run.ceilings ? ceiling_rows(run.ceilings) : [['all', 'not measured']]],
  ];
  return section(
    'provenance',
    'Where these numbers come from',
    null,
    'Two results may be compared only where all of this agrees, but for what is being compared.',
    el('div', { class: 'provenance' }, ...groups.map(([title, rows]) => table_view({ title, columns: COLUMNS, rows }))),
    el('h3', {}, 'Warnings'),
    warnings_list(warnings),
  );
}

function ceiling_rows(ceilings: NonNullable<PageData['run']['ceilings']>): Row[] {
  const rate = (value: number | null, unit: string) =>
    value === null ? 'not offered by the adapter' : si(value, unit);
  return [
    ['adapter', ceilings.adapter],
    ['measured', ceilings.date],
    ['build', ceilings.build],
    ['multiply-adds, f32', rate(ceilings.fma_f32_flops, 'FLOP/s')],
    ['multiply-adds, f16', rate(ceilings.fma_f16_flops, 'FLOP/s')],
    ['matrix units, f16', rate(ceilings.matrix_f16_flops, 'FLOP/s')],
    ['memory reads', rate(ceilings.stream_read_bytes, 'B/s')],
    ['memory writes', rate(ceilings.stream_write_bytes, 'B/s')],
    ['an empty launch', `${digits(ceilings.dispatch_ms)} ms`],
    ['submit and 4-byte readback', `${digits(ceilings.readback_ms)} ms`],
    ...Object.entries(ceilings.forms ?? {}).map(([probe, won]): Row => {
      return [`form of ${probe.replaceAll('_', ' ')}`, won === null ? 'none' : `${won.form} (best of ${won.of})`];
    }),
  ];
}

/** Names and values of a nested record, a row each. */
function flat(value: object, prefix = ''): Row[] {
  return Object.entries(value).flatMap(([name, item]): Row[] => {
    const label = (prefix === '' ? name : `${prefix}: ${name}`).replaceAll('_', ' ');
    if (Array.isArray(item)) return [[label, item.length > 0 ? item.map(String).join(', ') : 'none']];
    if (item !== null && typeof item === 'object') return flat(item, name);
    return [[label.replace(/ bytes$/, ''), shown(name, item)]];
  });
}

function shown(name: string, value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value !== 'number') return String(value);
  if (name.endsWith('_bytes')) return si(value, 'B');
  return Number.isInteger(value)
    ? value.toLocaleString('en-US', { useGrouping: !name.includes('seed') })
    : String(value);
}

function warnings_list(warnings: PageData['warnings']): HTMLElement {
  if (warnings.length === 0) return missing('None: no drift, no outliers, nothing the model complained about.');
  const items = warnings.map(({ text, where }) => el('li', {}, el('strong', {}, where), `: ${text}`));
  return el('ul', { class: 'warnings' }, ...items);
}

/** What lies beside this page. */
export function files_section({ files }: PageData): HTMLElement {
  const links = files.map((name) => {
    const href = `./${name.split('/').map(encodeURIComponent).join('/')}`;
    return el('li', {}, el('a', { href }, name));
  });
  const list = links.length > 0 ? el('ul', { class: 'files' }, ...links) : missing('None.');
  return section('files', 'Files beside this page', null, null, list);
}
