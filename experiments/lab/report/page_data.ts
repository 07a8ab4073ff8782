import { type Configuration, type Sample, STAGES } from '../schema.ts';
import { summarise } from '../stats.ts';
import { TIMES } from '../times.ts';
import { parts_of } from '../typical.ts';
import type { GroupedWarning, PageConfiguration } from './data.ts';

/** What pages get of results: made where the results are, in Node or in a worker. */

/** Configurations that a warning names; of more it says how many. */
const NAMED_CELLS = 5;

export function grouped_warnings(configurations: readonly Configuration[]): GroupedWarning[] {
  const keys = new Map<string, string[]>();
  for (const { key, warnings } of configurations) {
    for (const text of warnings) {
      const of = keys.get(text);
      if (of === undefined) keys.set(text, [key]);
      else of.push(key);
    }
  }
  return [...keys].map(([text, of]) => {
    const all = of.length === configurations.length && of.length > 1;
    return {
      text,
      where: all ? 'all configurations' : of.length > NAMED_CELLS ? `${of.length} configurations` : of.join(', '),
    };
  });
}

export function page_configuration(configuration: Configuration): PageConfiguration {
  const { clean, instrumented, tokens } = configuration;
  const of = (name: keyof Sample) => summarise(clean.samples.flatMap((sample) => sample[name] ?? []));
  const statistics = Object.fromEntries(TIMES.map((name) => [name, of(name)])) as PageConfiguration['statistics'];
  return {
    ...configuration,
    // Older results say 0 where nothing was decoded.
    statistics: tokens.decode_steps > 0 ? statistics : { ...statistics, T_LLM_decode: null },
    part_ms: STAGES.flatMap((stage) =>
      parts_of(configuration, stage).map(([part, gpu_ms]) => ({ stage, part, gpu_ms })),
    ),
    instrumented: instrumented && {
      ...instrumented,
      strip: { ...instrumented.strip, rows: instrumented.strip.rows.slice(0, MOST_SPANS).map(rounded) },
    },
  };
}

/** More of a timeline than this no screen shows. */
const MOST_SPANS = 20_000;

type StripRow = NonNullable<Configuration['instrumented']>['strip']['rows'][number];

/** To 0.1 us: finer than a screen shows, and a strip is most of the page. */
function rounded([stage, layer, part, begin_ms, gpu_ms]: StripRow): StripRow {
  return [stage, layer, part, Number(begin_ms.toFixed(4)), Number(gpu_ms.toFixed(4))];
}
