import { inspect_moe_layer, type MoeLayerReport } from '../../../tools/inspect/moe_layer.ts';
import { read_subject } from '../../../tools/inspect/subject.ts';
import { bold, out, short_number, table } from '../../print.ts';
import type { FileFlags } from './config.ts';
import { print_json } from './show.ts';

export async function moe_layer(flags: FileFlags & { readonly topKValues?: readonly number[] }): Promise<undefined> {
  const report = await inspect_moe_layer(await read_subject(flags.model), flags.topKValues);
  if (flags.json) print_json('inspect_moe_layer', report);
  else out(`${text_of(report)}\n`);
}

const shape = (sizes: readonly number[]): string => `[${sizes.join(', ')}]`;

function text_of(report: MoeLayerReport): string {
  const { model, blocks, expert, router, top_k, parameters, bytes, example, per_top_k } = report;
  const facts = [
    ['model', model],
    ['blocks', blocks_text(blocks)],
    ['expert', `${expert.kind}: gate ${shape(expert.gate)}, up ${shape(expert.up)}, down ${shape(expert.down)}`],
    [
      'parameters',
      `${short_number(expert.parameters)} an expert, ${short_number(parameters.block)} a block, ${short_number(parameters.all)} in all`,
    ],
    ['router', `${shape(router.shape)}, ${short_number(router.flops_per_token)}FLOP a token: ${router.rule}`],
    ['top-k', `${top_k}, an input of each request (--top-k): one number, or one a block`],
  ];
  const of_storage = bytes.map((row) => [
    row.format,
    ...[row.expert, row.block, row.all, row.router].map(short_number),
  ]);
  const rows = per_top_k.map((row) => [
    String(row.top_k),
    ...[row.expert_flops_block, row.expert_flops, row.expert_bytes.f16, row.decode_bytes.f16].map(short_number),
    ...[row.example_flops.prefill, row.example_flops.decode_step].map(short_number),
    ...[row.ratios.prefill, row.ratios.decode_step, row.ratios.forward].map((ratio) => ratio.toFixed(2)),
  ]);
  const least = per_top_k[0]?.top_k;
  return [
    table(facts),
    '',
    bold('bytes as they are stored'),
    table([['storage', 'an expert', 'experts of a block', 'all experts', 'a router'], ...of_storage]),
    '',
    bold('what k costs: of a token, and of a request'),
    table([
      [
        ...['k', 'FLOP a block', 'FLOP, experts', 'bytes, experts (f16)', 'bytes, all weights (f16)'],
        ...['prefill FLOP', 'decode step FLOP', `prefill / k=${least}`, `decode / k=${least}`, `forward / k=${least}`],
      ],
      ...rows,
    ]),
    `request: ${example.prompt_tokens} prompt positions with ${example.views} crops (336x336, "Describe this image." of the published model), then one decode step; forward: vision (the ViT blocks whose output is used), projector and prefill`,
    'bytes, all weights: read at least once for each token of a decode step, output head included',
  ].join('\n');
}

function blocks_text({ rows, from }: MoeLayerReport['blocks']): string {
  const kinds = new Map<string, number[]>();
  for (const { block, experts, router } of rows) {
    const kind = `${experts} experts and ${router ? 'a router' : 'no router'}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), block]);
  }
  const [kind = '', blocks = []] = [...kinds][0] ?? [];
  const source = from === 'checkpoint' ? "by the checkpoint's tensors" : 'by the configuration';
  if (kinds.size === 1) return `${blocks.length}, each with ${kind} (${source}); none with a plain MLP`;
  return `${[...kinds].map(([one, of]) => `${one} in ${of.join(', ')}`).join('; ')} (${source})`;
}
