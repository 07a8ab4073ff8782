import { cells_section, stages_section, steps_section } from './cells.ts';
import { basis_badge, basis_note, figure_view } from './charts/view.ts';
import type { PageConfiguration, PageData } from './data.ts';
import { el, section } from './dom.ts';
import { count } from './format.ts';
import { contents, findings_section, header } from './header.ts';
import { kernels_section } from './kernel_table.ts';
import { clocks_section, parts_section } from './parts.ts';
import { files_section, provenance_section } from './provenance.ts';
import { roofline_section } from './roofline.ts';
import { routing_section } from './routing.ts';
import { draw_the_rest } from './style.ts';
import { table_view } from './table_view.ts';
import { timeline_section } from './timeline.ts';
import { hide_tip } from './tip.ts';

const data = JSON.parse(document.getElementById('data')?.textContent ?? '') as PageData;

/** What the picker changes. */
const picked_sections = (one: PageConfiguration): HTMLElement[] => [
  stages_section(one, data),
  steps_section(one),
  clocks_section(one),
  parts_section(one, data),
  kernels_section(one, data),
  roofline_section(one, data),
  timeline_section(one, data),
  routing_section(one),
];

function picker(show: (one: PageConfiguration) => void): HTMLElement {
  const { configurations } = data;
  const select = el(
    'select',
    { id: 'configuration' },
    ...configurations.map(({ key }, i) => el('option', { value: String(i) }, key)),
  );
  const facts = el('output', { for: 'configuration', class: 'facts' });
  const before = el('button', { type: 'button', 'aria-label': 'previous configuration' }, '‹');
  const after = el('button', { type: 'button', 'aria-label': 'next configuration' }, '›');
  const update = () => {
    const i = select.selectedIndex;
    const one = configurations[i] as PageConfiguration;
    before.disabled = i === 0;
    after.disabled = i === configurations.length - 1;
    facts.textContent = summary(one);
    hide_tip();
    show(one);
  };
  const step = (by: number) => {
    select.selectedIndex += by;
    update();
  };
  select.addEventListener('change', update);
  before.addEventListener('click', () => step(-1));
  after.addEventListener('click', () => step(1));
  update();
  return el(
    'div',
    { class: 'picker', role: 'group', 'aria-label': 'Configuration of the sections below' },
    el('label', { for: 'configuration' }, 'Configuration'),
    el('span', { class: 'choice' }, before, select, after),
    facts,
  );
}

function summary({ tokens, knobs, warnings }: PageConfiguration): string {
  const facts = [
    tokens.image_size === null ? 'no picture' : `picture ${tokens.image_size}, ${count(tokens.num_crops)} views`,
    `${count(tokens.prompt_length)} prompt positions`,
    `${count(tokens.num_output_tokens)} output tokens`,
    ...Object.entries(knobs).map(([name, value]) => `${name} ${JSON.stringify(value)}`),
  ];
  if (warnings.length > 0)
    facts.push(`⚠ ${warnings.length === 1 ? 'a warning' : `${warnings.length} warnings`}, see below`);
  return facts.join(' · ');
}

function figures_section({ figures, basis }: PageData): HTMLElement[] {
  if (figures.length === 0) return [];
  return [
    section(
      'figures',
      'Figures',
      null,
      null,
      basis_note(basis),
      ...figures.map((figure) => figure_view(figure, '', basis)),
    ),
  ];
}

function tables_section({ tables, basis }: PageData): HTMLElement[] {
  if (tables.length === 0) return [];
  const each = tables.map((table) => el('div', { class: 'table' }, basis_badge(basis), table_view(table)));
  return [section('tables', 'Tables', null, null, basis_note(basis), ...each)];
}

function start(): void {
  const measured = data.configurations.length > 0;
  const before = [
    findings_section(data),
    ...figures_section(data),
    ...tables_section(data),
    ...(measured || data.skipped.length + data.failed.length > 0 ? [cells_section(data)] : []),
  ];
  const after = [provenance_section(data), files_section(data)];
  const body = el('div', { class: 'picked-sections' });
  // Of a fixed height while it is filled again, so that the page does not jump.
  const show = (one: PageConfiguration) => {
    body.style.minHeight = `${body.offsetHeight}px`;
    body.replaceChildren(...picked_sections(one));
    requestAnimationFrame(() => requestAnimationFrame(() => body.style.removeProperty('min-height')));
  };
  const picked = measured ? el('div', { class: 'picked-group' }, picker(show), body) : null;
  const nav = contents([...before, ...(body.children as unknown as HTMLElement[]), ...after]);
  const main = el('main', {}, ...before, picked, ...after);
  document.body.append(header(data), nav, main);
}

start();
draw_the_rest();
