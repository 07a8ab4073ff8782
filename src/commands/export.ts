import { join, relative } from 'node:path';
import { InputError, UsageError } from '../../engine/errors.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { basis_of } from '../../experiments/lab/derive.ts';
import { type Exported, exported_files, FORMATS, type Format } from '../../experiments/lab/export/files.ts';
import { origin_of } from '../../experiments/lab/export/origin.ts';
import { sample_table, step_table } from '../../experiments/lab/export/tidy.ts';
import { find_published, results_folders } from '../../experiments/lab/read.ts';
import { make_folder, write_beside } from '../../experiments/lab/record.ts';
import type { Protocol, Provenance } from '../../experiments/lab/schema.ts';
import { study_files } from '../../experiments/study/study.ts';
import { out, warn } from '../print.ts';
import { EXPERIMENTS } from '../registry.ts';
import { basis_in } from './plot.ts';
import { saved_in } from './saved.ts';

export type ExportFlags = { readonly out?: string } & Readonly<Partial<Record<Format, boolean>>>;

/** Tables and samples of saved results, or of published files alone, as files for papers and programs. */
export async function export_results(folder: string, flags: ExportFlags): Promise<number> {
  const formats = FORMATS.filter((format) => flags[format]);
  if (formats.length === 0) {
    throw new UsageError(
      `export: expected a format, found none; give ${FORMATS.map((one) => `--${one}`).join(', ')}, or several`,
    );
  }
  const folders = await results_folders(folder);
  if (flags.out !== undefined) await make_folder(flags.out);
  let faults = 0;
  for (const one of folders.length > 0 ? folders : [folder]) {
    try {
      const [target, inner] = flags.out === undefined ? [one, 'tables/'] : [join(flags.out, relative(folder, one)), ''];
      const found = folders.length > 0 ? [await of_results(one)] : await of_published(one);
      for (const exported of found) {
        for (const { name, content } of await exported_files(exported, formats)) {
          out(`${await write_beside(target, `${inner}${name}`, content)}\n`);
        }
      }
    } catch (error) {
      if (!(error instanceof InputError) || folders.length < 2) throw error;
      faults += 1;
      warn(error.message);
    }
  }
  return faults > 0 ? 1 : 0;
}

async function of_results(folder: string): Promise<Exported> {
  const { experiment, saved, tables } = await saved_in(folder);
  const { run, configurations } = saved;
  return {
    origin: origin_of({
      experiment,
      ...run.fingerprint,
      started: run.started,
      basis: basis_of(configurations),
      configurations,
      reads: reads_of(experiment),
    }),
    tables,
    data: [sample_table(configurations), step_table(configurations)].filter((table) => table !== null),
  };
}

const reads_of = ({ reads }: Pick<Experiment, 'reads'>): string[] =>
  Object.values(reads).map(({ experiment }) => experiment);

/** What others published: their tables; single runs are not in it. */
async function of_published(folder: string): Promise<Exported[]> {
  const others = (await study_files(folder)).map(({ stem }) => stem);
  const found = await find_published(folder, EXPERIMENTS, others);
  if (found.length === 0 && others.length > 0) {
    throw new InputError(
      `${folder}: expected results of this program, found files of the original study (${others[0]}.json); molmoe plot draws those`,
    );
  }
  if (found.length === 0) {
    throw new InputError(
      `${folder}: expected results or published files, found none in it or below; name the folder that --out named`,
    );
  }
  return found.map(({ experiment, files }) => {
    const [first] = Object.values(files) as { provenance: Provenance; protocol: Protocol; started: string }[];
    const head = first as NonNullable<typeof first>;
    const whole = EXPERIMENTS.find(({ name }) => name === experiment.name) as Experiment;
    return {
      origin: origin_of({ experiment: whole, ...head, basis: basis_in(files), reads: reads_of(whole) }),
      tables: experiment.draw(files).tables,
      data: [],
    };
  });
}
