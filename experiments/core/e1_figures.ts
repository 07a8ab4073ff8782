import { InputError } from '../../engine/errors.ts';
import type { Figure } from '../lab/figures.ts';
import type { E1Flops, E1Parts, E1Stages } from '../lab/schema.ts';
import { flops_figure } from './e1_figures/flops.ts';
import { parts_figure } from './e1_figures/parts.ts';
import { scaling_figure } from './e1_figures/scaling.ts';
import { stack_figure } from './e1_figures/stack.ts';

/** The four figures; without instrumented runs there are no times of parts and only three. */
export function e1_figures(stages: E1Stages, flops: E1Flops, parts: E1Parts): Figure[] {
  if (stages.configurations.length === 0) {
    throw new InputError(
      'figures: expected at least one measured configuration in e1_stage_latency_breakdown, found none; run the experiment first',
    );
  }
  const figures = [stack_figure(stages), scaling_figure(stages), flops_figure(stages, flops)];
  return parts.configurations.length === 0 ? figures : [...figures, parts_figure(parts)];
}
