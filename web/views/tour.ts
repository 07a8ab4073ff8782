import { el } from '../../experiments/lab/report/dom.ts';
import type { App } from '../app.ts';
import type { VerdictView } from '../protocol.ts';
import { action, page_section, type View } from './parts.ts';

interface Stop {
  readonly step: string;
  readonly title: string;
  /** What somebody claims. */
  readonly claim: string;
  readonly why: string;
}

const STOPS: readonly Stop[] = [
  {
    step: 'stages',
    title: '1. Which stage takes the time?',
    claim: 'Decode dominates long generation.',
    why: 'A picture is seen once and a prompt is read once, but a long answer is a hundred passes through the model.',
  },
  {
    step: 'roofline',
    title: '2. How fast could it be?',
    claim: 'No kernel is faster than its floor.',
    why: 'Arithmetic, memory and launches have rates that were measured on this device; what a kernel must do takes at least so long.',
  },
  {
    step: 'flops',
    title: '3. FLOPs are not latency',
    claim: 'FLOPs do not predict the latency of a request.',
    why: 'A FLOP of decode waits for memory, one of the encoder does not: requests that differ in their mix differ in time, not in FLOPs.',
  },
  {
    step: 'experts',
    title: '4. Experts and routing',
    claim: 'Eight experts a token cost eight times as much as one.',
    why: 'So it would be if nothing but experts took time. Attention, norms, router and launches do not care how many there are.',
  },
  {
    step: 'honesty',
    title: '5. Measuring honestly',
    claim: 'Stages can be timed by subtracting whole passes from each other.',
    why: 'A difference holds the noise of both: small stages come out negative, which published profiles set to zero.',
  },
  {
    step: 'kernels',
    title: '6. Kernels',
    claim: 'The kernels that are chosen for this adapter are faster than those that serve all.',
    why: 'The same product with other tiles, with or without subgroups and barriers, takes several times as long.',
  },
];

const MARKS: Readonly<Record<VerdictView['outcome'], string>> = {
  confirmed: 'holds here',
  refuted: 'does not hold here',
  'not tested': 'is not settled here',
};

/** Claims of the chapters, each measured here when it is pressed. */
export function tour_view(app: App): View {
  const buttons: HTMLButtonElement[] = [];
  const cards = STOPS.map(({ step, title, claim, why }) => {
    const result = el('div', { class: 'verdict', 'aria-live': 'polite' });
    const run = action('Run it here', () => void measure(), { 'aria-label': `Run it here: ${title}` });
    buttons.push(run);
    const measure = async (): Promise<void> => {
      result.replaceChildren(el('p', {}, 'Measuring …'));
      const found = await app.run(title, 'tour', [step]);
      result.replaceChildren(...(found === undefined ? [] : verdict(found, app)));
    };
    return el(
      'article',
      { class: 'stop' },
      el('h3', {}, title),
      el('p', { class: 'claim' }, claim),
      el('p', {}, why),
      run,
      result,
    );
  });
  const section = page_section(
    'tour',
    'Six claims, tried here',
    "Each chapter of the study's documents makes a claim. A button runs a small experiment on this device, and the laboratory's own rule says whether the claim holds here, for the model that is loaded.",
    el('div', { class: 'stops' }, ...cards),
  );
  return {
    section,
    update: () => {
      for (const button of buttons) button.disabled = app.model === undefined;
    },
  };
}

function verdict({ outcome, sentence, test, source, n, notes }: VerdictView, app: App): HTMLElement[] {
  const name = app.model?.name ?? '';
  const on = app.device?.software ? `${name}, on a software adapter` : name;
  return [
    el('p', {}, el('span', { class: `badge badge-${outcome.replace(' ', '-')}` }, `${MARKS[outcome]}`), ` (${on})`),
    el('p', {}, `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`),
    el('p', { class: 'hint' }, `How it is decided: ${test}${n === null ? '' : `; n = ${n}`}. Who says it: ${source}.`),
    ...notes.map((text) => el('p', { class: 'hint' }, `${text}.`)),
  ];
}
