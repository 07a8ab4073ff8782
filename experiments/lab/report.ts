import { createHash } from 'node:crypto';
import type { Figure } from './charts.ts';
import type { ExperimentHead, IndexEntry, PageData, Skipped } from './report/data.ts';
import index_script from './report/index_page.ts?bundle';
import styles from './report/page.css?bundle';
import page_script from './report/page.ts?bundle';
import { grouped_warnings, page_configuration } from './report/page_data.ts';
import { type Configuration, type Finding, PARTS, type Run, STAGES } from './schema.ts';
import type { Table } from './tables.ts';

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
