import type { ModelConfig } from '../../engine/model/config.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import { PROVENANCE } from './records.ts';

/** A table of answers as exp5 publishes it, made up: more of everything is worth more. */
export function fake_table(config: ModelConfig, over: object = {}) {
  const { max_crops, top_k, n_layers } = config;
  const levels = (most: number) => [...new Set([1, Math.ceil(most / 2), most])];
  const summary = levels(max_crops).flatMap((crops) =>
    levels(top_k).flatMap((k) =>
      levels(n_layers).map((blocks) => {
        const accuracy = (0.5 + (0.5 * crops) / max_crops) * (0.5 + (0.5 * k) / top_k) * (blocks / n_layers);
        return {
          ...{ max_crops: crops, top_k: k, num_active_blocks: blocks, num_total_blocks: n_layers, key: 'unread' },
          active_block_indices: Array.from({ length: blocks }, (_, i) => i),
          ...{ accuracy, accuracy_ci95: [accuracy / 2, (1 + accuracy) / 2], num_samples: 200 },
          mean_num_output_tokens: 1.6,
          answer_tokens: { '*': 7, 'what color': 1, 'describe the': 7 },
        };
      }),
    ),
  );
  const model = { ...PROVENANCE.model, name: 'nano', layers: n_layers, parameters: parameter_counts(config) };
  return {
    ...{ schema: 'molmoe.exp5.accuracy_results/2', experiment: 'exp5', provenance: { ...PROVENANCE, model } },
    ...{ started: '2026-11-27T10:00:00.000Z', ended: '2026-11-27T10:30:00.000Z', summary, findings: [] },
    config: { dataset_name: 'shapes', split: 'test', metric: 'em', batch_size: 50 },
    ...over,
  };
}
