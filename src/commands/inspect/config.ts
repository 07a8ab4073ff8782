import { type ConfigReport, type Field, inspect_config } from '../../../tools/inspect/config.ts';
import { bold, out, table } from '../../print.ts';
import { print_json } from './show.ts';

export interface FileFlags {
  readonly model: string;
  readonly json?: boolean;
}

export async function config(flags: FileFlags): Promise<undefined> {
  const report = await inspect_config(flags.model);
  if (flags.json) print_json('inspect_config', report);
  else out(`${text_of(report)}\n`);
}

const HEADS: Readonly<Record<Field['use'], string>> = {
  read: 'read: the engine goes by it',
  fixed: 'fixed: this engine runs one value of it, and this is it',
  absent: 'absent: asked for and not there; the value is what stands in, null where nothing has to',
  ignored: 'ignored: never asked for',
};

function text_of({ model, fields, other_files, config: parsed, geometry }: ConfigReport): string {
  const { n_experts, top_k } = parsed;
  const uses = Object.keys(HEADS) as Field['use'][];
  const parts = uses.flatMap((use) => {
    const rows = fields
      .filter((one) => one.use === use)
      .map(({ field, value, from }) => [field, JSON.stringify(value), from ?? '']);
    return rows.length === 0 ? [] : ['', bold(HEADS[use]), table([['field', 'value', 'from'], ...rows])];
  });
  const says = (name: string) => JSON.stringify(fields.find(({ field }) => field === name)?.value ?? null);
  return [
    `${model}: model_type ${says('model_type')}, block_type ${says('block_type')}, ${n_experts} experts a block, top-k ${top_k}`,
    ...parts,
    ...(other_files.length > 0 ? ['', `files that are not read: ${other_files.join(', ')}`] : []),
    '',
    bold('the model that follows'),
    table(leaves(parsed)),
    '',
    bold('geometry of a crop'),
    table(leaves(geometry)),
  ].join('\n');
}

/** Names and values, of objects within too. */
function leaves(of: object, path = ''): string[][] {
  return Object.entries(of).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value, `${path}${key}.`)
      : [[`${path}${key}`, JSON.stringify(value)]],
  );
}
