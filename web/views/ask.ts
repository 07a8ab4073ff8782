import type { Tiling } from '../../engine/input/tiling.ts';
import { el } from '../../experiments/lab/report/dom.ts';
import { ms, si } from '../../experiments/lab/report/format.ts';
import type { App } from '../app.ts';
import type { AnswerView } from '../protocol.ts';
import { chooser } from './chooser.ts';
import { action, labelled, page_section, type View } from './parts.ts';
import { picture_view } from './picture.ts';
import { DRAW_MS, stage_bars } from './stages.ts';

/** A run this short is run again with a stamp around every kernel, unasked. */
const SHORT_MS = 4000;
/** One live region for tokens would read out each: the whole answer is said once, at its end. */
const QUESTIONS = [
  'what color is the circle?',
  'how many things are there?',
  'what number is on the card?',
  'describe the picture.',
];

export function ask_view(app: App, show_inside: () => void): View {
  const { node: figure, update: update_picture } = picture_view(app);
  const bars = stage_bars();
  const prompt = el('input', { id: 'prompt', type: 'text', maxlength: '2000', list: 'questions', autocomplete: 'off' });
  const questions = el('datalist', { id: 'questions' });
  const tokens = el('input', { id: 'tokens', type: 'number', min: '1', max: '256', step: '1' });
  const go = el('button', { type: 'submit', class: 'primary' }, 'Ask');
  const said = el('output', { class: 'answer', for: 'prompt', 'aria-live': 'polite' });
  const truth = el('p', { class: 'truth' });
  const list = el('ol', { class: 'tokens', 'aria-label': 'Tokens of the answer with their times', tabindex: '0' });
  const facts = el('p', { class: 'facts' });
  const warnings = el('ul', { class: 'warnings' });
  const inside = el('p', { class: 'inside' });
  let tiling: Tiling | undefined;
  let asking = false;

  const ask = async (): Promise<void> => {
    if (app.model === undefined && !(await app.load())) return;
    app.set({ prompt: prompt.value, tokens: Math.min(256, Math.max(1, Math.round(Number(tokens.value)) || 16)) });
    app.answer = undefined;
    app.inside = undefined;
    list.replaceChildren();
    for (const node of [said, truth, facts, inside]) node.textContent = '';
    warnings.replaceChildren();
    asking = true;
    bars.begin();
    const times: HTMLElement[] = [];
    // What is cleared is drawn before the request begins, and what it tells with the bars: a frame costs a software adapter's cores.
    await painted();
    const heard: (() => void)[] = [];
    const flush = () => {
      for (const draw of heard.splice(0)) draw();
    };
    const timer = setInterval(flush, DRAW_MS);
    const answer = await app.run('Answering', 'ask', [app.request()], (told) => {
      bars.hear(told);
      if (told.kind === 'prepared') {
        heard.push(() => {
          tiling = told.tiling;
          update_picture(tiling);
        });
      }
      if (told.kind === 'token') {
        heard.push(() => {
          times[told.index] = token(list, times[told.index], told.text, told.ms);
        });
      }
    });
    clearInterval(timer);
    asking = false;
    bars.end();
    if (answer === undefined) return;
    app.answer = answer;
    show(answer);
    app.changed();
    if (answer.total_ms < SHORT_MS) await look_inside();
  };

  const look_inside = async (): Promise<void> => {
    const found = await app.run('Stamping every kernel', 'inside', [app.request(), false]);
    if (found === undefined) return;
    app.inside = found;
    app.changed();
  };

  const show = (answer: AnswerView): void => {
    said.textContent = answer.text.trim() === '' ? '(an empty answer)' : answer.text.trim();
    const { picture } = app;
    const known =
      picture?.answer !== undefined && app.request().prompt === picture.question && app.model?.name === 'nano';
    truth.textContent = known
      ? answer.text.trim() === picture.answer
        ? 'That is right.'
        : `The picture was drawn with another answer: ${picture.answer}.`
      : app.model?.synthetic
        ? `${app.model.name} has synthetic weights here: its times are the real ones, its words mean nothing.`
        : '';
    list.replaceChildren();
    for (const { text, ms: took } of answer.tokens) token(list, undefined, text, took);
    tiling = answer.tiling;
    update_picture(tiling);
    bars.show(answer);
    facts.textContent = [
      `${ms(answer.total_ms + answer.preprocess_ms)} in all`,
      ...(answer.first_token_ms === undefined ? [] : [`first token after ${ms(answer.first_token_ms)}`]),
      `${answer.prompt_tokens} prompt tokens, ${answer.picture_tokens} of the picture`,
      `${si(answer.peak_bytes, 'B')} of GPU memory at most`,
      ...(app.device?.software ? ['on a software adapter: a processor that plays GPU'] : []),
    ].join(' · ');
    warnings.replaceChildren(...answer.warnings.map((text) => el('li', {}, text)));
  };

  const form = el(
    'form',
    { class: 'asking', 'aria-label': 'Ask the model' },
    labelled('Question', prompt),
    questions,
    labelled('Tokens at most', tokens),
    el('div', { class: 'field' }, go),
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void ask();
  });
  const section = page_section(
    'ask',
    'Ask about a picture',
    'The model runs in this tab, on this device. Nothing you show it leaves the page.',
    el(
      'div',
      { class: 'columns' },
      el('div', {}, chooser(app), figure, form),
      el(
        'div',
        { class: 'results' },
        el('h3', {}, 'Answer'),
        said,
        truth,
        list,
        warnings,
        el('h3', {}, 'Where the time went'),
        bars.node,
        facts,
        inside,
      ),
    ),
  );
  prompt.value = app.settings.prompt || (app.picture?.question ?? '');
  tokens.value = String(app.settings.tokens);
  let asked_of = app.picture;
  return {
    section,
    update: () => {
      if (app.picture !== asked_of) {
        asked_of = app.picture;
        tiling = undefined;
        prompt.value = app.picture?.question ?? prompt.value;
        app.settings = { ...app.settings, prompt: prompt.value };
      }
      const suggested = [...new Set([app.picture?.question ?? '', ...QUESTIONS])].filter((text) => text !== '');
      questions.replaceChildren(...suggested.map((text) => el('option', { value: text })));
      update_picture(tiling);
      go.disabled = app.device === undefined;
      go.textContent = asking ? 'Ask again' : 'Ask';
      inside.replaceChildren(...inside_words(app, show_inside, () => void look_inside()));
    },
  };
}

/** What stands below the bars: the way to the kernels behind them. */
function inside_words(app: App, show_inside: () => void, look_inside: () => void): (Node | string)[] {
  if (app.answer === undefined) return [];
  if (app.inside === undefined) {
    return app.doing === '' ? [action('Stamp every kernel of it', look_inside)] : [];
  }
  const kernels = app.inside.one.instrumented?.kernels ?? [];
  const top = [...kernels].sort((a, b) => b.gpu_ms - a.gpu_ms).slice(0, 3);
  const words = top.map(({ kernel, stage, gpu_ms }) => `${kernel} in ${stage.replaceAll('_', ' ')} ${ms(gpu_ms)}`);
  return [
    `In another run with a stamp around every kernel, which costs time, the longest were ${words.join(', ')}. `,
    action('See all kernels', show_inside),
  ];
}

/** When what was changed is on the screen; a tab in the background draws nothing and waits for no frame. */
const painted = (): Promise<void> =>
  new Promise((done) => {
    const late = setTimeout(done, 100);
    requestAnimationFrame(() =>
      setTimeout(() => {
        clearTimeout(late);
        done();
      }),
    );
  });

/** A token and its milliseconds: what the model said is text, whatever it looks like. */
function token(list: HTMLElement, known: HTMLElement | undefined, text: string, took: number | undefined): HTMLElement {
  if (known !== undefined) {
    const word = known.firstElementChild as HTMLElement;
    word.textContent = (word.textContent ?? '') + text;
    return known;
  }
  const node = el(
    'li',
    {},
    el('span', { class: 'word' }, text.trim() === '' ? '␣' : text),
    el('small', {}, took === undefined ? '…' : ms(took)),
  );
  list.append(node);
  return node;
}
