import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import type { Figure } from '../../experiments/lab/charts.ts';
import { type Head, render } from '../../experiments/lab/figures.ts';
import { find_published } from '../../experiments/lab/read.ts';
import { write_beside } from '../../experiments/lab/record.ts';
import type { Provenance } from '../../experiments/lab/schema.ts';
import { find_study, STUDY_NAMES } from '../../experiments/study/study.ts';
import { out } from '../print.ts';
import { EXPERIMENTS } from '../registry.ts';

/** How deep files may lie below the folder: motivation/exp1/exp1_latency_distribution.json. */
const DEPTH = 4;

/** Figures from published files alone, ours or the original study's: no run.json, no cells. */
export async function plot(folder: string, flags: { readonly out?: string }): Promise<undefined> {
  const places = await drawings_in(folder, DEPTH);
  if (places.length === 0) {
    const ours = EXPERIMENTS.flatMap((experiment) => Object.keys(experiment.schemas).map((name) => `${name}.json`));
    throw new InputError(
      `${folder}: expected published files (${ours.slice(0, 3).join(', ')} ...) or those of the original study (${STUDY_NAMES.slice(0, 3).join(', ')} ...) in it or below, found none; name the folder they lie in`,
    );
  }
  for (const { place, drawings } of places) {
    const [target, inner] =
      flags.out === undefined ? [place, 'figures/'] : [join(flags.out, relative(folder, place)), ''];
    for (const { figure, head } of drawings) {
      const { svg, png } = await render(figure, head);
      await write_beside(target, `${inner}${figure.name}.svg`, svg);
      out(`${await write_beside(target, `${inner}${figure.name}.png`, png)}\n`);
    }
  }
}

interface Drawing {
  readonly figure: Figure;
  readonly head: Head;
}

/** Of the folder itself; where there are none, of the folders in it. Links are not followed. */
async function drawings_in(folder: string, depth: number): Promise<{ place: string; drawings: Drawing[] }[]> {
  const drawings = await drawings_of(folder);
  if (drawings.length > 0) return [{ place: folder, drawings }];
  if (depth === 0) return [];
  const inside = await readdir(folder, { withFileTypes: true }).catch((error) =>
    Promise.reject(file_error(error, folder, 'a readable folder')),
  );
  const found = [];
  for (const one of inside.filter((each) => each.isDirectory()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    found.push(...(await drawings_in(join(folder, one.name), depth - 1)));
  }
  return found;
}

async function drawings_of(folder: string): Promise<Drawing[]> {
  const study = await find_study(folder);
  const ours = await find_published(folder, EXPERIMENTS, study.stems);
  return [
    ...ours.flatMap(({ experiment, files }) => {
      const [first] = Object.values(files) as { provenance: Provenance }[];
      const head = { ...(first as { provenance: Provenance }).provenance, basis: basis_in(files) };
      return experiment.draw(files).figures.map((figure) => ({ figure, head }));
    }),
    ...study.figures.map((figure) => ({ figure, head: {} })),
  ];
}

/** Published rows say themselves what their times were scaled to. */
export function basis_in(files: Readonly<Record<string, unknown>>): string | undefined {
  const rows = Object.values(files).flatMap((file) => {
    const { configurations, summary, results } = file as Readonly<Record<string, unknown>>;
    return [configurations, summary, results].flatMap((list) => (Array.isArray(list) ? list : [])) as {
      scaled?: { model: string; method: string } | null;
    }[];
  });
  const scaled = rows.find((row) => row.scaled)?.scaled;
  return scaled ? `Times are scaled to ${scaled.model} (${scaled.method})` : undefined;
}
