import type { Figure } from '../lab/charts.ts';
import {
  axis_at,
  drawable,
  middle_of,
  notes_of,
  rows_of,
  type StudyFile,
  sweep_of,
  time_at,
  times_at,
} from './file.ts';
import { bars_of, groups_by, growth_panel, prompt_pieces, series_of, stack_panels } from './panels.ts';

/** exp1_context_scaling_results.json: a plain list over text lengths, or a sweep over vision tokens. */
export const context_scaling = (file: StudyFile): Figure[] =>
  Array.isArray(file.value) ? text_lengths(file) : context_vision(file);

function text_lengths(file: StudyFile): Figure[] {
  const rows = rows_of(file, file.value, 'the file');
  const axis = axis_at(file, rows, [{ key: 'num_input_tokens', label: 'Text tokens', unit: 'tokens' }]);
  const middle = series_of(
    'P50',
    'prefill',
    axis.values,
    rows.map((row) => middle_of(file, row)),
  );
  const tail = series_of(
    'P95',
    1,
    axis.values,
    rows.map((row) => time_at(file, row, 'P95')),
  );
  const panels = growth_panel('', axis, [middle, { ...tail, hollow: true }]);
  const notes = notes_of(file, 'P50 and P95 of prefill at each length of the text');
  return drawable(file, [{ name: 'exp1_context_scaling', title: 'What a longer prompt costs', notes, panels }], 'P50');
}

function context_vision(file: StudyFile): Figure[] {
  const { summary, samples } = sweep_of(file);
  const choices = [
    { key: 'num_vision_tokens', label: 'Vision tokens', unit: 'tokens' },
    { key: 'num_crops', label: 'Crops, overview included', unit: 'crops' },
    { key: 'max_crops', label: 'Crops at most', unit: 'crops' },
  ];
  const axis = axis_at(file, summary, choices);
  const of_data = summary.some(({ value }) => value.max_crops !== undefined);
  const what = of_data ? 'Whole request' : 'Prefill';
  const middle = series_of(
    what.toLowerCase(),
    of_data ? 0 : 'prefill',
    axis.values,
    summary.map((row) => middle_of(file, row)),
  );
  const figures: Figure[] = [
    {
      name: 'exp1_vision_tokens_vs_latency',
      title: `${what} over ${axis.label.toLowerCase()}`,
      notes: notes_of(file, 'P50 at each size of the picture'),
      panels: growth_panel('', axis, [middle]),
    },
  ];
  if (samples.length > 0) {
    const own = axis_at(file, samples, choices);
    const groups = groups_by(own.values);
    const labels = groups.map(({ key }) => [String(key)]);
    const bars = bars_of(
      labels,
      groups.map(({ rows }) => rows),
      prompt_pieces(file, samples),
    );
    figures.push({
      name: 'exp1_vision_tokens_vs_latency_breakdown',
      title: 'Time to the first token by component',
      notes: notes_of(file, 'means of all samples'),
      panels: stack_panels('', own.label, bars),
    });
  }
  return drawable(file, figures, 'P50');
}

/** exp4_output_tokens_scaling_results.json. */
export function output_tokens(file: StudyFile): Figure[] {
  const { summary, samples } = sweep_of(file);
  const asked = [{ key: 'max_new_tokens', label: 'Tokens asked for', unit: 'tokens' }];
  const axis = axis_at(file, summary, asked);
  const at = (key: string) => summary.map((row) => middle_of(file, row, key));
  const figures: Figure[] = [
    {
      name: 'exp4_output_tokens_scaling',
      title: 'What a longer answer costs',
      notes: notes_of(file, 'P50 at each length; one token needs no decode step'),
      panels: growth_panel('', axis, [
        series_of('decode', 'decode', axis.values, at('decode')),
        series_of('total', 0, axis.values, at('total')),
      ]),
    },
  ];
  if (samples.length > 0) {
    const groups = groups_by(axis_at(file, samples, asked).values);
    const pieces = [
      ...prompt_pieces(file, samples),
      { look: 'decode' as const, name: 'decode', values: times_at(file, samples, 'T_LLM_decode') },
    ];
    const bars = bars_of(
      groups.map(({ key }) => [String(key)]),
      groups.map(({ rows }) => rows),
      pieces,
    );
    figures.push({
      name: 'exp4_output_tokens_vs_latency_breakdown',
      title: 'Where the time of an answer goes',
      notes: notes_of(file, 'means of all samples; above each bar: ms in all'),
      panels: stack_panels('', axis.label, bars, true),
    });
  }
  return drawable(file, figures, 'decode or total');
}
