import { compact } from '../lab/captions.ts';
import type { Bar, Figure } from '../lab/charts.ts';
import { amount_at, drawable, is_object, notes_of, object_of, rows_of, type StudyFile } from './file.ts';

/** exp6_crop_overlap_analysis.json: patches of a picture that several crops hold, a bar a picture. */
export function crop_overlap(file: StudyFile): Figure[] {
  const rows = rows_of(file, object_of(file).results, 'results');
  const bars = rows.flatMap(({ at, value }): Bar[] => {
    const inner = is_object(value.overlap_statistics) ? value.overlap_statistics : {};
    const tiling = is_object(value.tiling) ? value.tiling : {};
    const statistics = { at: `${at}.overlap_statistics`, value: inner };
    const [total, unique] = [
      amount_at(file, statistics, 'total_patch_area'),
      amount_at(file, statistics, 'unique_patch_area'),
    ];
    if (!total || unique === null || unique > total) return [];
    const segments = [
      { look: 'vision_encoder' as const, name: 'of one place each', value: unique },
      { look: 'rest' as const, name: 'of a place again', value: total - unique },
    ];
    const label = [`${value.image_id ?? '?'}`.slice(0, 16), `${tiling.rows ?? '?'}x${tiling.cols ?? '?'}`];
    return [{ label, segments, total: { value: total, label: compact(total) } }];
  });
  const what =
    'patches of all crops; enlarging a small picture puts several into one place, which is counted as overlap here';
  const chart = { kind: 'stack' as const, categories: 'Picture and its tiling', bars, value: { label: 'Patches' } };
  const panels = bars.length > 0 ? [chart] : [];
  return drawable(
    file,
    [{ name: file.stem, title: 'Patches that crops share', notes: notes_of(file, what), panels }],
    'overlap_statistics',
  );
}
