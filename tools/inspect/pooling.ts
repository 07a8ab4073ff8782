import { choose_tiling, type Tiling } from '../../engine/input/tiling.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { Subject } from './subject.ts';
import { canvas_of, named_counts, type Size } from './tokens.ts';

/** How pixels become patches, patches cells, and cells rows of the prompt; and what each limit of crops makes of a size. */
export function inspect_pooling({ name, config }: Subject, size: Size, most_crops = config.max_crops) {
  const geometry = geometry_of(config);
  const { vit, vit_layers } = config;
  const { projector } = closed_form_flops(config, { views: 1, prompt_tokens: 1, new_tokens: 1 });
  const limits = Array.from({ length: most_crops }, (_, i) => {
    const max_crops = i + 1;
    const tiling = choose_tiling(size.width, size.height, { max_crops }, geometry);
    return {
      max_crops,
      ...tiling_facts(tiling),
      canvas: canvas_of(tiling, geometry),
      ...named_counts(tiling, geometry),
    };
  });
  const [before, after] = geometry.margins.map((patches) => patches / geometry.pool) as [number, number];
  return {
    model: name,
    geometry,
    positions: vit.positions,
    pooling: {
      kind: 'attention, the query is the mean of the pooled patches',
      window: [config.pooling_h, config.pooling_w],
      taps: [...vit_layers],
      inputs: vit_layers.length * vit.emb,
      outputs: vit.emb,
      heads: vit.heads,
      head_dim: vit.head_dim,
      projector_hidden: config.projector_hidden,
      width: config.d_model,
    },
    /** Cells of a crop that only lend context where a neighbour shows them, and those that one more tile adds. */
    cells: { margins: [before, after] as const, tile: geometry.cells_per_side - before - after },
    /** FLOPs of one crop, 2 a multiply-add. */
    crop_flops: projector,
    picture: { ...size },
    limits,
  };
}

export type PoolingReport = ReturnType<typeof inspect_pooling>;
type Limit = PoolingReport['limits'][number];

const tiling_facts = (tiling: Tiling) => ({ tiling, views: tiling.rows * tiling.cols + 1 });

/** Limits that give the same tiling, together. */
export function same_tilings(
  limits: readonly Limit[],
): { readonly from: number; readonly to: number; readonly limit: Limit }[] {
  const groups: { from: number; to: number; limit: Limit }[] = [];
  for (const limit of limits) {
    const before = groups.at(-1);
    const { rows, cols } = limit.tiling;
    if (before && before.limit.tiling.rows === rows && before.limit.tiling.cols === cols) before.to = limit.max_crops;
    else groups.push({ from: limit.max_crops, to: limit.max_crops, limit });
  }
  return groups;
}
