import { differs, inspect_structure, type Module, type StructureReport } from '../../../tools/inspect/structure.ts';
import { read_subject } from '../../../tools/inspect/subject.ts';
import { bold, out, short_number, table } from '../../print.ts';
import type { FileFlags } from './config.ts';
import { print_json } from './show.ts';

/** 1 where a checkpoint does not hold what its configuration says. */
export async function structure(flags: FileFlags): Promise<number> {
  const report = await inspect_structure(await read_subject(flags.model));
  if (flags.json) print_json('inspect_structure', report);
  else out(`${text_of(report)}\n`);
  return differs(report) ? 1 : 0;
}

const whole = new Intl.NumberFormat('en').format;

function text_of(report: StructureReport): string {
  const { parameters: count, active, storage } = report;
  const components: [string, number][] = [
    ['vision encoder', count.vit],
    ['attention pooling', count.pooling],
    ['projector MLP', count.projector_mlp],
    ['padding embeddings', count.pad_embed],
    ['token embedding', count.token_embedding],
    ['additional embedding', count.new_embedding],
    ['attention', count.attention],
    ['norms', count.norms],
    ['router', count.router],
    ['experts', count.experts],
    ['output head', count.lm_head],
  ];
  const share = (n: number) => `${((100 * n) / count.total).toFixed(2)} %`;
  const names = Object.keys(storage[0]?.components ?? {}) as (keyof (typeof storage)[number]['components'])[];
  return [
    table([['part', 'parameters', 'each', 'shape'], ...tree(report.hierarchy)]),
    '',
    bold('components'),
    table([
      ['component', 'parameters', 'share'],
      ...components.map(([name, n]) => [name, whole(n), share(n)]),
      ['all', whole(count.total), share(count.total)],
    ]),
    `by the rule of published profiles, which leaves the output head out: ${whole(count.params_total)}, active ${whole(count.params_active)}; with it: ${whole(count.true_total)}, active ${whole(count.true_active)}`,
    '',
    bold('active parameters of a token'),
    table([
      ['k', 'language, no head', 'all, no head', 'all'],
      ...active.map((row) => [row.top_k, row.llm_active, row.active_without_head, row.active].map((n) => whole(n))),
    ]),
    '',
    bold('bytes on the GPU'),
    table([
      ['component', ...storage.map(({ format }) => format)],
      ...names.map((name) => [name, ...storage.map(({ components: bytes }) => short_number(bytes[name]))]),
      ['all', ...storage.map(({ total }) => short_number(total))],
      ['all, exactly', ...storage.map(({ total }) => whole(total))],
    ]),
    ...checkpoint_lines(report),
  ].join('\n');
}

/** Numbered parts stand with their holder: `blocks 0-15`. */
function tree(module: Module, depth = 0): string[][] {
  const [single, ...others] = module.parts;
  const numbered = single !== undefined && others.length === 0 && /^\d/.test(single.name);
  const merged = numbered ? { ...single, name: `${module.name} ${single.name}` } : module;
  const { name, repeats, parameters, shapes, parts } = merged;
  const own = Object.entries(shapes);
  const only = own.length > 0 && parts.length === 0;
  const line = [
    `${'  '.repeat(depth)}${name}${repeats > 1 ? ` x ${repeats}` : ''}`,
    whole(parameters),
    repeats > 1 ? whole(parameters / repeats) : '',
    only ? own.map(shape_text).join(', ') : '',
  ];
  const beside = only
    ? []
    : own.map(([inner, shape]) => [
        `${'  '.repeat(depth + 1)}${inner}`,
        whole(shape.reduce((size, n) => size * n, 1)),
        '',
        `[${shape.join(', ')}]`,
      ]);
  return [line, ...beside, ...parts.flatMap((part) => tree(part, depth + 1))];
}

const shape_text = ([name, shape]: [string, readonly number[]]): string =>
  `${name === 'weight' ? '' : `${name} `}[${shape.join(', ')}]`;

/** Names of a hostile file may be many. */
const MOST = 20;

function checkpoint_lines({ checkpoint, tensors }: StructureReport): string[] {
  if (checkpoint === null) return ['', 'from the configuration alone: no file of tensors was looked at'];
  const { files, missing, unexpected, misshapen, dtypes, bytes, parameters } = checkpoint;
  const some = (what: string, names: readonly string[]) =>
    names.length === 0
      ? []
      : [
          `${bold(`${names.length} ${what}`)}: ${names.slice(0, MOST).join(', ')}${names.length > MOST ? ', ... (--json has all)' : ''}`,
        ];
  const problems = [
    ...some('missing', missing),
    ...some('unexpected', unexpected),
    ...some(
      'misshapen',
      misshapen.map((one) => `${one.name} [${one.found.join(', ')}] and not [${one.expected.join(', ')}]`),
    ),
  ];
  const stored = Object.entries(dtypes).map(([dtype, n]) => `${n} as ${dtype}`);
  return [
    '',
    bold('checkpoint, by its headers'),
    table([['file', 'tensors', 'bytes'], ...files.map((file) => [file.name, String(file.tensors), whole(file.bytes)])]),
    `${checkpoint.tensors} tensors (${stored.join(', ')}), ${whole(parameters)} parameters in ${whole(bytes)} bytes`,
    ...(problems.length === 0 ? [`names and shapes of all ${tensors} are as config.json says`] : problems),
  ];
}
