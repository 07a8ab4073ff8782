import { render } from '../lab/figures.ts';
import type { Results } from '../lab/record.ts';
import { build_report } from '../lab/report.ts';
import {
  type E1Flops,
  type E1Parts,
  type E1Stages,
  e1_flops_schema,
  e1_parts_schema,
  e1_stages_schema,
} from '../lab/schema.ts';
import { QUESTION } from './e1.ts';
import { e1_figures } from './e1_figures.ts';
import { flops_file, parts_file, stages_file } from './e1_results.ts';

export interface Published {
  readonly stages: E1Stages;
  readonly flops: E1Flops;
  readonly parts: E1Parts;
  readonly figures: readonly string[];
  readonly report: string;
}

/** Files, figures and report of every configuration that the folder holds. */
export async function publish_e1(results: Results): Promise<Published> {
  const configurations = [...results.finished().values()];
  const { run } = results;
  const stages = stages_file(run, configurations);
  const flops = flops_file(run, configurations);
  const parts = parts_file(run, configurations);
  const files = [
    'e1_stage_latency_breakdown.json',
    'e1_flops_vs_latency.json',
    'e1_attention_ffn_breakdown.json',
  ] as const;
  await results.write_json(files[0], e1_stages_schema, stages);
  await results.write_json(files[1], e1_flops_schema, flops);
  await results.write_json(files[2], e1_parts_schema, parts);
  const drawn: { name: string; svg: string }[] = [];
  for (const figure of e1_figures(stages, flops, parts)) {
    const { svg, png } = await render(figure, run.fingerprint.provenance);
    await results.write(`figures/${figure.name}.svg`, svg);
    await results.write(`figures/${figure.name}.png`, png);
    drawn.push({ name: figure.name, svg });
  }
  const figures = drawn.map(({ name }) => `figures/${name}.png`);
  const page = build_report({
    title: 'E1: where the time of a request goes',
    question: QUESTION,
    run,
    configurations,
    findings: stages.findings,
    figures: drawn,
    files: [...files, ...figures],
  });
  return { stages, flops, parts, figures, report: await results.write('report.html', page) };
}
