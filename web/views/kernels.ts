import { steps_section } from '../../experiments/lab/report/cells.ts';
import { el, missing } from '../../experiments/lab/report/dom.ts';
import { kernels_section } from '../../experiments/lab/report/kernel_table.ts';
import { clocks_section, parts_section } from '../../experiments/lab/report/parts.ts';
import { roofline_section } from '../../experiments/lab/report/roofline.ts';
import { timeline_section } from '../../experiments/lab/report/timeline.ts';
import type { App } from '../app.ts';
import type { InsideView } from '../protocol.ts';
import { action, page_section, type View } from './parts.ts';

/** The report's own sections, of the request that was asked last. */
export function kernels_view(app: App): View {
  const honest = el('p', { class: 'honest' });
  const body = el('div', { class: 'inside-sections' });
  const run = action('Stamp every kernel, with floors', () => void look());
  const section = page_section(
    'kernels',
    'The kernels behind each stage',
    'One more run of the last question: FLOPs, bytes and launches counted exactly, times from the GPU, floors from ceilings that are measured here.',
    el('p', {}, run),
    honest,
    body,
  );
  let drawn: InsideView | undefined;
  const look = async (): Promise<void> => {
    const found = await app.run('Stamping every kernel', 'inside', [app.request(), true]);
    if (found === undefined) return;
    app.inside = found;
    app.changed();
  };
  return {
    section,
    update: () => {
      run.disabled = app.model === undefined;
      if (app.inside !== undefined && app.inside === drawn) return;
      drawn = app.inside;
      if (drawn === undefined) {
        honest.textContent = '';
        body.replaceChildren(missing('Nothing yet: ask something first, or press the button above.'));
        return;
      }
      const { one, data } = drawn;
      honest.textContent = honesty(app, one.instrumented?.clock ?? '');
      body.replaceChildren(
        clocks_section(one),
        parts_section(one, data),
        kernels_section(one, data),
        roofline_section(one, data),
        steps_section(one),
        timeline_section(one, data),
      );
    },
  };
}

function honesty({ device }: App, clock: string): string {
  const lines = [
    `Clock: ${clock}.`,
    ...(device?.stamps === 'rounded'
      ? [
          'This browser rounds GPU stamps to about 100 us, so each kernel was submitted alone and timed by the host: the wait is part of its time.',
        ]
      : []),
    ...(device?.stamps === 'none'
      ? ['This adapter has no stamps: each kernel was submitted alone and timed by the host.']
      : []),
    ...(device?.software ? ['A software adapter: a processor that plays GPU.'] : []),
  ];
  return lines.join(' ');
}
