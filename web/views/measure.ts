import { figure_view } from '../../experiments/lab/report/charts/view.ts';
import { el } from '../../experiments/lab/report/dom.ts';
import { findings_list } from '../../experiments/lab/report/header.ts';
import { draw_the_rest } from '../../experiments/lab/report/style.ts';
import { table_view } from '../../experiments/lab/report/table_view.ts';
import type { App } from '../app.ts';
import type { ResultsView } from '../protocol.ts';
import { LENGTHS, REGIMES } from '../settings.ts';
import { action, labelled, page_section, plural, save, type View } from './parts.ts';

const MOST_BYTES = 64 * 2 ** 20;

/** E1 in the page: measured here, saved for the command line, and beside somebody else's. */
export function measure_view(app: App): View {
  const boxes: Record<'regime' | 'length' | 'answer', HTMLInputElement[]> = { regime: [], length: [], answer: [] };
  const axis = (name: keyof typeof boxes, title: string, words: readonly string[]): HTMLElement => {
    const fields = words.map((word) => {
      const box = el('input', { type: 'checkbox', id: `${name}-${word}`, value: word });
      box.checked = app.settings[name].includes(word);
      boxes[name].push(box);
      return el('span', { class: 'tick' }, box, el('label', { for: box.id }, word));
    });
    return el('fieldset', {}, el('legend', {}, title), ...fields);
  };
  const runs = el('input', {
    id: 'runs',
    type: 'number',
    min: '1',
    max: '50',
    step: '1',
    value: String(app.settings.runs),
  });
  const go = el('button', { type: 'submit', class: 'primary' }, 'Measure');
  const form = el(
    'form',
    { class: 'grid', 'aria-label': 'Which requests' },
    axis('regime', 'Picture', REGIMES),
    axis('length', 'Prompt', LENGTHS),
    axis('answer', 'Answer', LENGTHS),
    labelled('Runs of each', runs),
    el('div', { class: 'field' }, go),
  );
  const file = el('input', { id: 'theirs', type: 'file', accept: 'application/json,.json' });
  const exports = el('p', { class: 'buttons' });
  const compared = el('div', {});
  const [here, there] = [el('div', { class: 'side' }), el('div', { class: 'side' })];
  const sides = el('div', { class: 'sides' }, here, there);
  let ours: ResultsView | undefined;
  let theirs: ResultsView | undefined;

  const chosen = () => {
    const of = (name: keyof typeof boxes) => boxes[name].filter(({ checked }) => checked).map(({ value }) => value);
    const wanted = Math.min(50, Math.max(1, Math.round(Number(runs.value)) || 4));
    return { regime: of('regime'), length: of('length'), answer: of('answer'), runs: wanted };
  };
  const measure = async (): Promise<void> => {
    const { regime, length, answer, runs: wanted } = chosen();
    if ([regime, length, answer].some((axis) => axis.length === 0)) {
      app.trouble =
        'Measure: expected at least one picture, one prompt and one answer, found none ticked; tick one of each.';
      app.changed();
      return;
    }
    app.set({ regime, length, answer, runs: wanted });
    const found = await app.run('Measuring', 'e1', [{ regime, prompt: length, decode: answer, runs: wanted }]);
    if (found === undefined) return;
    ours = found;
    await show();
  };
  const read = async (found: File): Promise<void> => {
    if (found.size > MOST_BYTES) {
      app.trouble = `${found.name}: expected a results file of at most ${MOST_BYTES / 2 ** 20} MiB, found ${found.size} bytes; choose another.`;
      app.changed();
      return;
    }
    const results = await app.run('Reading', 'read', [await found.text(), found.name]);
    if (results === undefined) return;
    theirs = results;
    await show();
  };
  const show = async (): Promise<void> => {
    here.replaceChildren(...(ours === undefined ? [] : results_of('Here', ours, 'here')));
    there.replaceChildren(...(theirs === undefined ? [] : results_of('The other file', theirs, 'there')));
    draw_the_rest();
    sides.classList.toggle('both', ours !== undefined && theirs !== undefined);
    exports.replaceChildren(...(ours === undefined ? [] : export_buttons(app, ours)));
    compared.replaceChildren();
    if (ours === undefined || theirs === undefined) return;
    const found = await app.run('Comparing', 'compare', [ours.json, theirs.json]);
    if (found === undefined) return;
    compared.replaceChildren(
      el('h3', {}, 'Side by side'),
      ...(found.warnings.length > 0
        ? [el('ul', { class: 'warnings' }, ...found.warnings.map((text) => el('li', {}, text)))]
        : []),
      table_view(found.table),
    );
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void measure();
  });
  file.addEventListener('change', () => {
    const [first] = file.files ?? [];
    if (first !== undefined) void read(first);
    file.value = '';
  });
  const section = page_section(
    'measure',
    'Measure this device',
    'Experiment E1 on the model that is loaded: which stage takes the time, with which picture, prompt and answer. Forced lengths, so that every device does the same.',
    form,
    el(
      'div',
      { class: 'drop' },
      labelled(
        "Somebody else's file",
        file,
        'a .json saved by this page, or dropped here: both are then shown side by side',
      ),
    ),
    exports,
    compared,
    sides,
  );
  section.addEventListener('dragover', (event) => event.preventDefault());
  section.addEventListener('drop', (event) => {
    event.preventDefault();
    const [first] = event.dataTransfer?.files ?? [];
    if (first !== undefined) void read(first);
  });
  return {
    section,
    update: () => {
      go.disabled = app.model === undefined;
    },
  };
}

function export_buttons(app: App, ours: ResultsView): Node[] {
  const files = async (format: 'csv' | 'trace'): Promise<void> => {
    const found = await app.run('Writing files', 'e1_files', [format]);
    for (const { name, text } of found ?? []) save(name, text, format === 'csv' ? 'text/csv' : 'application/json');
  };
  const copy = action('Copy a link with these settings', () => {
    navigator.clipboard.writeText(location.href).then(
      () => {
        copy.textContent = 'Copied';
      },
      () => {
        app.trouble =
          'The link: expected to copy it, found that the browser forbids it; copy the address of this page.';
        app.changed();
      },
    );
  });
  return [
    action('Save as JSON', () => save('molmoe_e1.json', ours.json, 'application/json')),
    action('Save as CSV', () => void files('csv')),
    action('Save traces for Perfetto', () => void files('trace')),
    copy,
    el('small', { class: 'hint' }, 'molmoe compare and molmoe report take the JSON'),
  ];
}

function results_of(title: string, found: ResultsView, prefix: string): HTMLElement[] {
  return [
    el('h3', {}, `${title}: ${found.title}`),
    el(
      'p',
      { class: 'facts' },
      `${plural(found.cells, 'request')}, ${plural(found.runs, 'run')} of each. ${found.origin}`,
    ),
    ...(found.warnings.length > 0
      ? [el('ul', { class: 'warnings' }, ...found.warnings.slice(0, 5).map((text) => el('li', {}, text)))]
      : []),
    findings_list(found.findings, undefined),
    ...found.figures.map((figure) => figure_view({ ...figure, name: `${prefix}_${figure.name}` }, null, undefined)),
    ...found.tables.map(table_view),
  ];
}
