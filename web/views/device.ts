import { el } from '../../experiments/lab/report/dom.ts';
import { count, digits, ms, si } from '../../experiments/lab/report/format.ts';
import type { Ceilings } from '../../experiments/lab/schema.ts';
import type { App } from '../app.ts';
import { BUILD } from '../build.ts';
import type { DeviceView, ModelView, VerifyView } from '../protocol.ts';
import { action, page_section, type View } from './parts.ts';

const STAMPS: Readonly<Record<DeviceView['stamps'], string>> = {
  exact: 'the GPU stamps every pass, and this browser does not round the stamps',
  rounded:
    'this browser rounds them to about 100 us (chrome://flags, "WebGPU Developer Features", turns that off): kernels are timed by the host, around a fence each',
  none: 'none: kernels are timed by the host, around a fence each',
};

/** What runs here, how far its clocks can be believed, and whether it computes what it should. */
export function device_view(app: App): View {
  const facts = el('dl', { class: 'card' });
  const ceilings = el('dl', { class: 'card' });
  const badge = el('p', { class: 'verify', 'aria-live': 'polite' }, 'Not verified in this visit.');
  const check = action('Verify: run the reference cases here', () => void verify(), { class: 'primary' });
  const probe = action('Measure what this adapter can do at most', () => void measure());
  const section = page_section(
    'device',
    'This device',
    'What the browser tells of the adapter, what was measured, and whether the kernels compute on it what the reference computes.',
    facts,
    el('h3', {}, 'Does it compute what it should?'),
    badge,
    el('p', {}, check),
    el('h3', {}, 'Ceilings'),
    ceilings,
    el('p', {}, probe),
  );
  const verify = async (): Promise<void> => {
    badge.replaceChildren('Running the reference cases …');
    const found = await app.run('Verifying', 'verify', []);
    badge.replaceChildren(...(found === undefined ? ['Not verified: it was stopped or failed.'] : verified(found)));
  };
  const measure = async (): Promise<void> => {
    const found = await app.run('Measuring ceilings', 'ceilings', []);
    if (found !== undefined) fill(ceilings, ceiling_rows(found));
  };
  return {
    section,
    update: () => {
      const { device, model } = app;
      check.disabled = device === undefined;
      probe.disabled = device === undefined;
      fill(facts, device === undefined ? [['adapter', 'not open']] : device_rows(device, model));
    },
  };
}

function fill(list: HTMLElement, rows: readonly (readonly [string, string])[]): void {
  list.replaceChildren(...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

function verified({ cases, passed, worst }: VerifyView): (Node | string)[] {
  const good = cases === passed;
  return [
    el('span', { class: `badge badge-${good ? 'confirmed' : 'refuted'}` }, good ? '✓ verified' : '✗ differs'),
    ` ${passed} of ${cases} reference cases agree on every recorded point; nearest to its limit: ${worst}.`,
  ];
}

function device_rows(device: DeviceView, model: ModelView | undefined): (readonly [string, string])[] {
  return [
    ['adapter', device.name],
    ['kind', device.software ? 'software: a processor that plays GPU' : 'hardware'],
    ['browser', device.browser],
    ['features', device.features.join(', ') || 'none that change speed'],
    [
      'shader-f16',
      device.features.includes('shader-f16')
        ? 'there'
        : 'missing: weights in f16 are read, arithmetic is f32 as everywhere',
    ],
    [
      'subgroups',
      device.subgroup_size > 0
        ? `of ${device.subgroup_size}`
        : 'missing or of no fixed size: kernels without them are used',
    ],
    ['GPU stamps', STAMPS[device.stamps]],
    [
      'host clock',
      `steps of ${digits(1000 * device.clock_step_ms)} us seen${device.isolated ? '' : '; 5 us where the page is isolated: see hosting in the documents'}`,
    ],
    ['largest binding', si(device.max_binding_bytes, 'B')],
    ['largest buffer', si(device.max_buffer_bytes, 'B')],
    ['memory', device.memory_bytes === undefined ? 'the browser does not say' : si(device.memory_bytes, 'B')],
    ['tuning', device.tuning],
    ...(model === undefined
      ? []
      : ([
          ['model', `${model.name}: ${model.weights}, stored as ${model.dtype}`],
          ['why', [model.why, ...model.tried].join('; ')],
        ] as const)),
    ['program', `${BUILD.version}, commit ${BUILD.commit.slice(0, 12)}${BUILD.dirty ? ' and changes' : ''}`],
  ];
}

function ceiling_rows(found: Ceilings): (readonly [string, string])[] {
  return [
    ['multiply-adds, f32', si(found.fma_f32_flops, 'FLOP/s')],
    ['multiply-adds, f16', found.fma_f16_flops === null ? 'not there' : si(found.fma_f16_flops, 'FLOP/s')],
    ['reads of a large buffer', si(found.stream_read_bytes, 'B/s')],
    ['writes of a large buffer', si(found.stream_write_bytes, 'B/s')],
    ['reads within a cache', `${si(found.cache_read_bytes, 'B/s')}, up to ${count(found.cache_bytes / 1024)} KiB`],
    ['an empty launch', ms(found.dispatch_ms)],
    ['a submit and a readback of four bytes', ms(found.readback_ms)],
    ...Object.entries(found.forms ?? {}).map(([probe, won]) => {
      const text = won === null ? 'not there' : `${won.form} (best of ${won.of})`;
      return [`fastest form, ${probe.replaceAll('_', ' ')}`, text] as const;
    }),
  ];
}
