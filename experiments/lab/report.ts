import { createHash } from 'node:crypto';
import type { Figure } from './charts.ts';
import type {
  ExperimentHead,
  GroupedWarning,
  IndexEntry,
  PageConfiguration,
  PageData,
  Skipped,
} from './report/data.ts';
import index_script from './report/index_page.ts?bundle';
import styles from './report/page.css?bundle';
import page_script from './report/page.ts?bundle';
import { type Configuration, type Finding, PARTS, type Run, type Sample, STAGES } from './schema.ts';
import { summarise } from './stats.ts';
import type { Table } from './tables.ts';
import { TIMES } from './times.ts';
import { parts_of } from './typical.ts';

export type { IndexEntry } from './report/data.ts';

export interface PageInput {
  readonly experiment: ExperimentHead;
  readonly run: Run;
  /** In the grid's order; none where an experiment only counts. */
  readonly configurations: readonly Configuration[];
  readonly skipped: readonly Skipped[];
  readonly failed?: readonly Skipped[];
  readonly findings: readonly Finding[];
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  /** Names of what lies beside the page. */
  readonly files: readonly string[];
  /** What numbers rest on that were not measured as they stand: "Scaled to molmoe-1b from ...". */
  readonly basis?: string;
}

/** One experiment as one HTML page with everything in it: data, script, styles. It asks nothing of any network. */
export function build_page(input: PageInput): string {
  const { configurations, run, failed = [] } = input;
  const data: PageData = {
    ...input,
    stages: STAGES,
    parts: PARTS,
    figures: on_pages(input.figures),
    configurations: configurations.slice(0, MOST_CELLS).map(page_configuration),
    cells: configurations.length,
    ended: configurations.reduce((last, one) => (one.ended > last ? one.ended : last), run.started),
    failed,
    warnings: grouped_warnings(configurations),
  };
  return document_of(input.experiment.title, input.experiment.question, page_script, data);
}

/** All experiments of a folder on one page. */
export const build_index = (entries: readonly IndexEntry[]): string =>
  document_of(
    'Results',
    `${entries.length} experiments`,
    index_script,
    entries.map((entry) => ({ ...entry, figures: on_pages(entry.figures) })),
  );

/** A page with more configurations is slow to open, and nobody looks at each. */
const MOST_CELLS = 200;

const on_pages = (figures: readonly Figure[]): Figure[] => figures.filter(({ files_only }) => files_only !== true);

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

function document_of(title: string, question: string, script: string, data: unknown): string {
  // The policy names the only script and styles that may run: text from results can never become either.
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(styles)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<!-- Contains uPlot, Copyright (c) 2022 Leon Sorokin, under the MIT License. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${as_text(title)}</title>
<style>${styles}</style>
</head>
<body>
<noscript><h1>${as_text(title)}</h1><p>${as_text(question)}</p>
<p>This page draws its charts and tables from the data inside it: please allow its script.</p></noscript>
<script type="application/json" id="data">${as_json(data)}</script>
<script>${script}</script>
</body>
</html>
`;
}

function page_configuration(configuration: Configuration): PageConfiguration {
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

const digest = (text: string): string => `sha256-${createHash('sha256').update(text).digest('base64')}`;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const as_text = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);

/** JSON that no HTML parser can see an end tag or a comment in. */
const as_json = (data: unknown): string =>
  JSON.stringify(data).replace(/[<>\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
