import { el } from '../experiments/lab/report/dom.ts';
import { hide_tip } from '../experiments/lab/report/tip.ts';
import { App } from './app.ts';
import { from_link, VIEWS, type ViewName } from './settings.ts';
import { ask_view } from './views/ask.ts';
import { device_view } from './views/device.ts';
import { experts_view } from './views/experts.ts';
import { kernels_view } from './views/kernels.ts';
import { knobs_view } from './views/knobs.ts';
import { measure_view } from './views/measure.ts';
import { action, type View } from './views/parts.ts';
import { tour_view } from './views/tour.ts';

const NAMES: Readonly<Record<ViewName, string>> = {
  ask: 'Ask',
  kernels: 'Kernels',
  knobs: 'Knobs',
  experts: 'Experts',
  measure: 'Measure',
  tour: 'Tour',
  device: 'This device',
};

const app = new App();
const show = (view: ViewName): void => {
  app.set({ view });
  views[view].section.focus({ preventScroll: true });
  scrollTo(0, 0);
};
const views: Readonly<Record<ViewName, View>> = {
  ask: ask_view(app, () => show('kernels')),
  kernels: kernels_view(app),
  knobs: knobs_view(app),
  experts: experts_view(app),
  measure: measure_view(app),
  tour: tour_view(app),
  device: device_view(app),
};

const links = VIEWS.map((name) => {
  const link = el('a', { href: `#${name}` }, NAMES[name]);
  link.addEventListener('click', (event) => {
    event.preventDefault();
    show(name);
  });
  return { name, link };
});
const chip = el('p', { class: 'chip' });
const doing = el('p', { class: 'doing', role: 'status' });
const stop = action('Stop', () => app.stop());
const trouble = el('p', { class: 'trouble', role: 'alert' });
const again = action('Start again', () => void app.start());
const other_tab = el('p', { class: 'other-tab', role: 'status' });

function update(): void {
  const { device, model, settings } = app;
  for (const { name, link } of links) {
    if (name === settings.view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  for (const name of VIEWS) {
    views[name].section.hidden = name !== settings.view;
    views[name].update();
  }
  const parts = [
    ...(device === undefined ? [] : [`${device.name}${device.software ? ' (software)' : ''}`]),
    ...(model === undefined ? [] : [`${model.name}, ${model.dtype}${model.synthetic ? ', synthetic weights' : ''}`]),
    ...(model !== undefined && model.tried.length > 0 ? [`smaller than asked: ${model.tried.join('; ')}`] : []),
  ];
  set_text(chip, parts.join(' · '));
  set_text(doing, app.doing);
  set_text(trouble, app.trouble);
  stop.hidden = app.doing === '';
  again.hidden = device !== undefined || app.doing !== '';
}

/** A live region is read out where it changes: what says the same is left alone. */
function set_text(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
  node.hidden = text === '';
}

/** Two tabs share one GPU: each then shows in the other's times. */
async function watch_tabs(): Promise<void> {
  await navigator.locks?.request('molmoe-live', { ifAvailable: true }, async (lock) => {
    if (lock !== null) return new Promise<void>(() => {});
    other_tab.textContent =
      'Another tab of this page is open: both use one GPU, and what one does shows in the times of the other; close one before you measure.';
    other_tab.hidden = false;
  });
}

document.body.append(
  el(
    'header',
    {},
    el('h1', {}, 'MolmoE, live'),
    el('p', { class: 'question' }, 'A vision-language model in your browser, and where each millisecond goes.'),
    chip,
  ),
  el('nav', { 'aria-label': 'Views' }, el('ol', {}, ...links.map(({ link }) => el('li', {}, link)))),
  el('div', { class: 'status' }, doing, stop, trouble, again, other_tab),
  el('main', {}, ...VIEWS.map((name) => views[name].section)),
);
other_tab.hidden = true;
app.on_change(update);
addEventListener('hashchange', () => {
  const next = from_link(location.hash);
  if (next.view === app.settings.view) return;
  hide_tip();
  app.set({ view: next.view });
});
addEventListener('unhandledrejection', (event) => {
  event.preventDefault();
  app.trouble = `Something went wrong here: ${(event.reason as Error)?.message ?? 'no reason given'}.`;
  update();
});
update();
void watch_tabs().catch(() => undefined);
void app.start();
