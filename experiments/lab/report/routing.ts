import type { Heat } from '../charts.ts';
import type { RoutingRecord } from '../schema.ts';
import { chart_view } from './charts/view.ts';
import { mean, type PageConfiguration } from './data.ts';
import { missing, section, teach } from './dom.ts';
import { count } from './format.ts';

export function routing_section({ routing, tokens }: PageConfiguration): HTMLElement {
  const title = 'Which experts work';
  const lead = 'How many tokens each expert of each layer was given, over the positions of the prompt.';
  if (routing === null || routing.layers.length === 0) {
    return section('routing', title, 'counted', lead, missing('Not counted in this run.'));
  }
  const experts = routing.layers[0]?.pairs.length ?? 0;
  return section(
    'routing',
    title,
    'counted',
    lead,
    chart_view(heat_of(routing, experts), 'token-expert pairs by layer and expert'),
    teach(
      `Imbalance is the busiest expert over the mean of its layer: 1 would be a perfectly even load, ${experts} all tokens on one expert. Here it is ${routing.imbalance.toFixed(2)}, the mean over the layers; each layer's own stands beside its number.`,
      'In prefill the busiest expert can set the pace of its layer. In decode one token picks its few experts, so weights that nobody picked are not even read.',
      `A token is counted once for each expert it is sent to; the prompt has ${count(tokens.prompt_length)} positions.`,
    ),
  );
}

const heat_of = ({ layers }: RoutingRecord, experts: number): Heat => ({
  kind: 'heat',
  rows: layers.map(({ layer, pairs }) => `${layer}, ${imbalance(pairs)}`),
  columns: Array.from({ length: experts }, (_, i) => String(i)),
  row_title: 'Layer, busiest over mean',
  column_title: 'Expert (index)',
  values: layers.map(({ pairs }) => pairs),
  value: 'Token-expert pairs (count)',
});

function imbalance(pairs: readonly number[]): string {
  const average = mean(pairs);
  return average > 0 ? `× ${(Math.max(...pairs) / average).toFixed(2)}` : 'idle';
}
