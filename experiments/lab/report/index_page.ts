import { basis_note, figure_view } from './charts/view.ts';
import type { IndexEntry } from './data.ts';
import { el, missing, section } from './dom.ts';
import { count } from './format.ts';
import { contents, facts_line, findings_list } from './header.ts';
import { draw_the_rest } from './style.ts';

const entries = JSON.parse(document.getElementById('data')?.textContent ?? '') as readonly IndexEntry[];

const link_to = (folder: string, path: string): string =>
  `./${[...folder.split('/'), ...path.split('/')]
    .filter((part) => part !== '')
    .map(encodeURIComponent)
    .join('/')}`;

const counted = (n: number, one: string, many: string): string => `${count(n)} ${n === 1 ? one : many}`;

/** Of several results of one experiment each says where it lies. */
const title_of = (title: string, folder: string): string =>
  folder !== '' && entries.filter((one) => one.experiment.title === title).length > 1 ? `${title} (${folder})` : title;

/** One experiment: its question, what came of it, its charts, and where the rest lies. */
function entry_section(
  { experiment, folder, head, findings, figures, files, page, fault }: IndexEntry,
  i: number,
): HTMLElement {
  const id = `experiment-${i + 1}`;
  if (fault !== undefined) {
    const text = `${folder === '' ? 'This folder' : folder}: could not be read: ${fault}`;
    return section(
      id,
      experiment.title,
      null,
      experiment.question,
      el('p', { class: 'fault-note', role: 'note' }, text),
    );
  }
  const { model, weights, adapter, date, cells, runs, basis } = head;
  const facts = [model, weights, adapter, date];
  if (cells > 0)
    facts.push(
      counted(cells, 'configuration', 'configurations'),
      ...(runs > 0 ? [`n = ${counted(runs, 'clean run', 'clean runs')} each`] : []),
    );
  const links = files.map((name) => el('li', {}, el('a', { href: link_to(folder, name) }, name)));
  return section(
    id,
    title_of(experiment.title, folder),
    null,
    experiment.question,
    facts_line(facts),
    basis_note(basis),
    page === undefined
      ? null
      : el('p', {}, el('a', { class: 'deep', href: link_to(folder, page) }, `Everything about ${experiment.name}`)),
    findings.length > 0 ? findings_list(findings, basis) : missing('No expectation was written down for this run.'),
    ...figures.map((figure) => figure_view(figure, folder, basis)),
    links.length > 0
      ? el(
          'details',
          {},
          el('summary', {}, counted(links.length, 'file', 'files')),
          el('ul', { class: 'files' }, ...links),
        )
      : null,
  );
}

function start(): void {
  const sections = entries.map(entry_section);
  const experiments = entries.filter(({ experiment }) => experiment.group !== 'claims');
  document.body.append(
    el(
      'header',
      {},
      el('h1', {}, 'Results'),
      el('p', { class: 'question' }, counted(experiments.length, 'experiment', 'experiments')),
    ),
    contents(sections),
    el('main', {}, ...sections),
  );
}

start();
draw_the_rest();
