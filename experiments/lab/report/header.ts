import type { Finding } from '../schema.ts';
import { basis_badge, basis_note } from './charts/view.ts';
import type { PageData } from './data.ts';
import { clock_badge, el, section } from './dom.ts';
import { count } from './format.ts';

const MARKS = { confirmed: '✓', refuted: '✗', 'not tested': '○' } as const;

const counted = (n: number, one: string, many: string): string => `${count(n)} ${n === 1 ? one : many}`;

export function header({ experiment, run, cells, basis }: PageData): HTMLElement {
  const { provenance, protocol, dataset } = run.fingerprint;
  const { model, adapter } = provenance;
  return el(
    'header',
    {},
    el('h1', {}, experiment.title),
    el('p', { class: 'question' }, experiment.question),
    basis_note(basis),
    facts_line([
      model.name,
      `${model.weights_kind === 'checkpoint' ? 'published weights' : 'synthetic weights'} (${model.weights})`,
      `stored as ${model.dtype}`,
      `${adapter.description || adapter.device} (${adapter.type})`,
      ...(dataset ? [`${dataset.name} ${dataset.split}`] : []),
      run.started.slice(0, 10),
      ...(cells > 0
        ? [
            `${counted(cells, 'configuration', 'configurations')}${protocol.runs === 0 ? '' : `, n = ${count(protocol.runs)} clean ${protocol.runs === 1 ? 'run' : 'runs'} each`}`,
          ]
        : []),
    ]),
    model.weights_kind === 'synthetic'
      ? el(
          'p',
          { class: 'caption' },
          'Synthetic weights have the shapes of the model and the same work to do, but no sense: times hold, answers mean nothing, and routing is that of random weights.',
        )
      : null,
  );
}

export const facts_line = (facts: readonly string[]): HTMLElement =>
  el('p', { class: 'facts' }, ...facts.flatMap((fact, i) => [i > 0 ? ' · ' : null, el('span', {}, fact)]));

export function contents(sections: readonly HTMLElement[]): HTMLElement {
  const links = sections.map((one) => {
    const title = one.querySelector('h2')?.firstChild?.textContent ?? one.id;
    return el('li', {}, el('a', { href: `#${one.id}` }, title));
  });
  return el('nav', { 'aria-label': 'Contents' }, el('ol', {}, ...links));
}

export const findings_list = (findings: readonly Finding[], basis: string | undefined): HTMLElement =>
  el(
    'ul',
    { class: 'findings' },
    ...findings.map(({ expectation, outcome, because }) =>
      el(
        'li',
        {},
        el('span', { class: `badge badge-${outcome.replace(' ', '-')}` }, `${MARKS[outcome]} ${outcome}`),
        el('div', {}, el('strong', {}, expectation), el('p', {}, because, basis_badge(basis))),
      ),
    ),
  );

export function findings_section({ findings, basis, configurations }: PageData): HTMLElement {
  return section(
    'findings',
    'What was expected, what was found',
    null,
    findings.length > 0
      ? 'Each expectation was written down before the measurement. A refuted one is a result, not a failure.'
      : 'No expectation was written down for this run.',
    findings_list(findings, basis),
    configurations.length > 0 ? three_clocks() : null,
  );
}

const three_clocks = (): HTMLElement =>
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
      ' FLOPs, bytes and tokens, added up exactly from what was launched. The two kinds of time are never mixed in one chart.',
    ),
  );
