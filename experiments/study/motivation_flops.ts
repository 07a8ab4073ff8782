import { InputError } from '../../engine/errors.ts';
import { compact } from '../lab/captions.ts';
import type { Figure, Look, Series } from '../lab/charts.ts';
import { work_charts } from '../lab/latency_charts.ts';
import { linear_fit } from '../lab/stats.ts';
import { amount_at, drawable, is_object, notes_of, object_of, type Row, type StudyFile, time_at } from './file.ts';

/** exp5_flops_vs_latency.json: FLOPs by the study's own formula against time, apart and together. */
export function flops_vs_latency(file: StudyFile): Figure[] {
  const whole = object_of(file);
  const family = (key: string, name: string, look: Look): Series => {
    const lists: Row = { at: key, value: is_object(whole[key]) ? whole[key] : {} };
    const [flops, latencies] = ['flops', 'latencies'].map((list) => {
      const found = lists.value[list] ?? [];
      if (!Array.isArray(found))
        throw new InputError(
          `${file.path}: expected a list as ${key}.${list}, found something else; choose another file`,
        );
      return found;
    }) as [unknown[], unknown[]];
    if (flops.length !== latencies.length) {
      throw new InputError(
        `${file.path}: expected as many ${key}.flops as ${key}.latencies, found ${flops.length} and ${latencies.length}; restore it`,
      );
    }
    const points = flops.flatMap((work, i) => {
      const row: Row = { at: `${key}[${i}]`, value: { flops: work, latency: latencies[i] } };
      const [x, y] = [amount_at(file, row, 'flops'), time_at(file, row, 'latency')];
      return x && y ? [{ x, y }] : [];
    });
    return { name, look, points };
  };
  const vision = family('exp3', 'vision tokens grow', 'vision_encoder');
  const language = family('exp4', 'answers grow', 'decode');
  const what = 'FLOPs by the study’s formula, which counts all experts; medians or means as the file holds them';
  const figure = (name: string, series: readonly Series[]): Figure => ({
    name,
    title: 'FLOPs against latency',
    notes: notes_of(file, what),
    panels: work_charts('', 'Work', series.flatMap(line_note), series),
  });
  const figures = [
    figure(file.stem, [vision, language]),
    ...(vision.points.length > 0 ? [figure(`${file.stem}_vision`, [vision])] : []),
    ...(language.points.length > 0 ? [figure(`${file.stem}_language`, [language])] : []),
  ];
  return drawable(file, figures, 'flops and latencies of exp3 or exp4');
}

/** "answers grow: 12.3 ms a TFLOP, R² 0.9987, n = 10". */
function line_note({ name, points }: Series): string[] {
  const x = points.map((point) => point.x);
  if (new Set(x).size < 2) return [];
  const { slope, r_squared } = linear_fit(
    x,
    points.map((point) => point.y),
  );
  const quality = points.length < 3 || r_squared === null ? '' : `, R² ${r_squared.toFixed(4)}`;
  return [`${name}: ${compact(1e12 * slope)} ms a TFLOP${quality}, n = ${points.length}`];
}
