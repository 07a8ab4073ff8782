import type { ReportData } from './data.ts';
import { clock_badge, el, section } from './dom.ts';
import { count } from './format.ts';

const MARKS = { confirmed: '✓', refuted: '✗', 'not tested': '○' } as const;

export function header({ title, question, run, configurations }: ReportData): HTMLElement {
  const { provenance, protocol } = run.fingerprint;
  const { model, adapter } = provenance;
  const facts = [
    model.name,
    `${model.weights_kind === 'checkpoint' ? 'published weights' : 'synthetic weights'} (${model.weights})`,
    `stored as ${model.dtype}`,
    `${adapter.description || adapter.device} (${adapter.type})`,
    run.started.slice(0, 10),
    `${count(configurations.length)} ${configurations.length === 1 ? 'configuration' : 'configurations'}, ${count(protocol.runs)} clean ${protocol.runs === 1 ? 'run' : 'runs'} each`,
  ];
  return el(
    'header',
    {},
    el('h1', {}, title),
    el('p', { class: 'question' }, question),
    el('p', { class: 'facts' }, ...facts.flatMap((fact, i) => [i > 0 ? ' · ' : null, el('span', {}, fact)])),
    model.weights_kind === 'synthetic'
      ? el(
          'p',
          { class: 'caption' },
          'Synthetic weights have the shapes of the model and the same work to do, but no sense: times hold, answers mean nothing, and routing is that of random weights.',
        )
      : null,
  );
}

export function contents(sections: readonly HTMLElement[]): HTMLElement {
  const links = sections.map((one) => {
    const title = one.querySelector('h2')?.firstChild?.textContent ?? one.id;
    return el('li', {}, el('a', { href: `#${one.id}` }, title));
  });
  return el('nav', { 'aria-label': 'Contents' }, el('ol', {}, ...links));
}

export function findings_section({ findings }: ReportData): HTMLElement {
  const items = findings.map(({ expectation, outcome, because }) =>
    el(
      'li',
      {},
      el('span', { class: `badge badge-${outcome.replace(' ', '-')}` }, `${MARKS[outcome]} ${outcome}`),
      el('div', {}, el('strong', {}, expectation), el('p', {}, because)),
    ),
  );
  return section(
    'findings',
    'What was expected, what was found',
    null,
    findings.length > 0
      ? 'Each expectation was written down before the measurement. A refuted one is a result, not a failure.'
      : 'No expectation was written down for this run.',
    el('ul', { class: 'findings' }, ...items),
    el(
      'div',
      { class: 'teach' },
      el('strong', {}, 'Three kinds of numbers'),
      el(
        'p',
        {},
        clock_badge('wall'),
        ' what somebody waits for: the host clock between two points where the GPU is idle.',
      ),
      el(
        'p',
        {},
        clock_badge('gpu'),
        ' stamps that the GPU writes around every kernel, in runs of their own, since stamps slow a request down.',
      ),
      el(
        'p',
        {},
        clock_badge('counted'),
        ' FLOPs, bytes and tokens, added up exactly from what was dispatched. The two kinds of time are never mixed in one chart.',
      ),
    ),
  );
}
