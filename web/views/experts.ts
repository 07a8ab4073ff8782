import type { Heat } from '../../experiments/lab/charts.ts';
import { chart_view } from '../../experiments/lab/report/charts/view.ts';
import { el, missing, teach } from '../../experiments/lab/report/dom.ts';
import type { App } from '../app.ts';
import type { RoutingView } from '../protocol.ts';
import { action, page_section, type View } from './parts.ts';

/** Which experts each layer chose: for the picture's tokens and for those of the text apart. */
export function experts_view(app: App): View {
  const body = el('div', {});
  const run = action('Read what every router chooses', () => void look());
  const nothing = missing('Nothing yet: press the button; it runs the question of the first view once more.');
  const section = page_section(
    'experts',
    'Which experts work',
    'Each block sends every token to a few of its experts. What they choose is read back in a run of its own, so that no time is disturbed.',
    el('p', {}, run),
    body,
  );
  body.append(nothing);
  const look = async (): Promise<void> => {
    const found = await app.run('Reading the routers', 'routing', [app.request()]);
    if (found !== undefined) body.replaceChildren(...charts(found, app));
  };
  return {
    section,
    update: () => {
      run.disabled = app.model === undefined;
    },
  };
}

function charts(found: RoutingView, app: App): HTMLElement[] {
  const { layers, picture_tokens, text_tokens } = found;
  const chart = (title: string, pairs: (layer: RoutingView['layers'][number]) => readonly number[]): HTMLElement =>
    chart_view(heat_of(found, title, pairs), title);
  return [
    ...(picture_tokens > 0 ? [chart(`Picture tokens (${picture_tokens})`, ({ picture }) => picture)] : []),
    chart(`Text tokens (${text_tokens})`, ({ text }) => text),
    ...(layers.some(({ decode }) => decode.some((n) => n > 0))
      ? [chart('Tokens of the answer', ({ decode }) => decode)]
      : []),
    teach(
      'A row is a block, a column an expert, a value the share of the row. An even spread would give every expert the same.',
      app.model?.synthetic
        ? 'These weights are synthetic: nobody taught their routers anything.'
        : 'nano was trained on drawn shapes: what its routers do with pictures and words they learned there.',
      'Experts that picture tokens choose and text tokens do not are why the two can be given different numbers of experts.',
    ),
  ];
}

function heat_of(
  { layers, experts }: RoutingView,
  title: string,
  pairs: (layer: RoutingView['layers'][number]) => readonly number[],
): Heat {
  return {
    kind: 'heat',
    title,
    rows: layers.map(({ layer }) => String(layer)),
    columns: Array.from({ length: experts }, (_, i) => String(i)),
    row_title: 'block',
    column_title: 'expert',
    value: 'share of the block (%)',
    values: layers.map((layer) => {
      const row = pairs(layer);
      const total = row.reduce((sum, n) => sum + n, 0);
      return row.map((n) => (total === 0 ? null : (100 * n) / total));
    }),
  };
}
