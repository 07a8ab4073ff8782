import type { Strip } from '../charts.ts';
import type { Instrumented } from '../schema.ts';
import { chart_view } from './charts/view.ts';
import type { PageConfiguration, PageData } from './data.ts';
import { choice, el, missing, section, spaced, teach } from './dom.ts';
import { NOT_INSTRUMENTED } from './parts.ts';

type Lanes = 'part' | 'stage';

/** One request, pass by pass. */
export function timeline_section({ instrumented }: PageConfiguration, { stages, parts }: PageData): HTMLElement {
  const lead =
    'The last instrumented run from left to right: every pass of the GPU, where it began and how long it took.';
  const title = 'Timeline of one request';
  if (instrumented === null || instrumented.strip.rows.length === 0) {
    return section('timeline', title, 'gpu', lead, missing(NOT_INSTRUMENTED));
  }
  const { strip } = instrumented;
  const drawn = (by: Lanes) => chart_view(strip_of(strip, by, stages, parts), 'GPU passes of one request');
  const place = el('div', {}, drawn('part'));
  const lanes = choice(
    'What the lanes are',
    [
      { value: 'part' as const, text: 'lanes: parts' },
      { value: 'stage' as const, text: 'lanes: stages' },
    ],
    'part',
    (by) => place.replaceChildren(drawn(by)),
  );
  return section(
    'timeline',
    title,
    'gpu',
    lead,
    el('div', { class: 'controls' }, lanes),
    place,
    teach(
      'Lanes are parts and colours are stages, or the other way round. Where no lane has a bar, the GPU had nothing to do.',
      'Drag across a stretch to look closer; click the strip, then the wheel zooms too. Double-click shows the whole again. With the keyboard: arrows move, + and − zoom, 0 shows the whole.',
    ),
  );
}

/** A lane a part, coloured by stage, or the other way round: a picture shows both. */
function strip_of(
  { rows }: Instrumented['strip'],
  by: Lanes,
  stages: PageData['stages'],
  parts: PageData['parts'],
): Strip {
  const sorted = [...rows].sort((a, b) => a[3] - b[3]);
  const [lanes, column, colours, other] =
    by === 'part' ? ([parts, 2, stages, 0] as const) : ([stages, 0, parts, 2] as const);
  return {
    kind: 'strip',
    time: { label: 'Time since the first pass (ms)' },
    tracks: lanes.flatMap((name, lane) => {
      const spans = sorted
        .filter((row) => row[column] === lane)
        .map((row) => {
          const look = colours[row[other]] ?? ('rest' as const);
          const layer = row[1] >= 0 ? `layer ${row[1]}` : spaced(look);
          return { from: row[3], to: row[3] + row[4], look, name: layer };
        });
      return spans.length > 0 ? [{ name, spans }] : [];
    }),
  };
}
