import { createHash } from 'node:crypto';
import { InputError } from '../../engine/errors.ts';
import type { ReportConfiguration, ReportData } from './report/data.ts';
import styles from './report/page.css?bundle';
import script from './report/page.ts?bundle';
import { type Configuration, type Finding, PARTS, type Run, type Sample, STAGES } from './schema.ts';
import { summarise } from './stats.ts';
import { TIMES } from './times.ts';
import { line_over, parts_of } from './typical.ts';

export interface ReportInput {
  readonly title: string;
  readonly question: string;
  readonly run: Run;
  readonly configurations: readonly Configuration[];
  readonly findings: readonly Finding[];
  readonly figures: readonly { readonly name: string; readonly svg: string }[];
  /** Names of what lies beside the report. */
  readonly files: readonly string[];
}

/** One HTML page with everything in it: data, script, styles, figures. It asks nothing of any network. */
export function build_report(input: ReportInput): string {
  if (input.configurations.length === 0) {
    throw new InputError('report: expected at least one configuration, found none; measure one first');
  }
  // The policy names the only script and styles that may run: text from results can never become either.
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(styles)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${as_text(input.title)}</title>
<style>${styles}</style>
</head>
<body>
<noscript><h1>${as_text(input.title)}</h1><p>${as_text(input.question)}</p>
<p>This page draws its charts and tables from the data inside it: please allow its script.</p></noscript>
<script type="application/json" id="data">${as_json(report_data(input))}</script>
<script>${script}</script>
</body>
</html>
`;
}

function report_data(input: ReportInput): ReportData {
  return {
    ...input,
    stages: STAGES,
    parts: PARTS,
    configurations: input.configurations.map(report_configuration),
    fits: {
      prefill: line_over(input.configurations, 'prefill', (tokens) => tokens.prompt_length),
      decode: line_over(input.configurations, 'decode', (tokens) => tokens.decode_steps),
    },
  };
}

function report_configuration(configuration: Configuration): ReportConfiguration {
  const { clean, instrumented, tokens } = configuration;
  const of = (name: keyof Sample) => summarise(clean.samples.flatMap((sample) => sample[name] ?? []));
  const statistics = Object.fromEntries(TIMES.map((name) => [name, of(name)])) as ReportConfiguration['statistics'];
  return {
    ...configuration,
    statistics: tokens.decode_steps > 0 ? statistics : { ...statistics, T_LLM_decode: null },
    part_ms: STAGES.flatMap((stage) =>
      parts_of(configuration, stage).map(([part, gpu_ms]) => ({ stage, part, gpu_ms })),
    ),
    instrumented: instrumented && {
      ...instrumented,
      strip: { ...instrumented.strip, rows: instrumented.strip.rows.map(rounded) },
    },
  };
}

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
const as_json = (data: ReportData): string =>
  JSON.stringify(data).replace(/[<>\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
