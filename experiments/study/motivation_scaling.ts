import type { Figure, Look, Series } from '../lab/charts.ts';
import {
  amount_at,
  axis_at,
  drawable,
  notes_of,
  object_of,
  rows_of,
  type StudyFile,
  tell_once,
  times_at,
} from './file.ts';
import { bars_of, groups_by, growth_panel, prompt_pieces, series_of, stack_panels } from './panels.ts';

const VISION_AXIS = [
  { key: 'num_vision_tokens', label: 'Vision tokens', unit: 'tokens' },
  { key: 'num_crops', label: 'Crops, overview included', unit: 'crops' },
];

/** exp3_vision_tokens_vs_latency.json: a prompt pass over pictures of one row of crops. */
export function vision_tokens(file: StudyFile): Figure[] {
  const rows = rows_of(file, object_of(file).results, 'results');
  const axis = axis_at(file, rows, VISION_AXIS);
  const { values: x } = axis;
  const pieces = prompt_pieces(file, rows);
  const total = times_at(file, rows, 'T_total');
  const lines = pieces.map(({ look, name, values }) => series_of(name, look, x, values ?? []));
  const groups = groups_by(x);
  const bars = bars_of(
    groups.map(({ key }) => [String(key)]),
    groups.map((group) => group.rows),
    pieces,
  );
  const what = 'means over the runs of a resolution, as the file holds them';
  const figures: Figure[] = [
    {
      name: file.stem,
      title: 'What vision tokens cost',
      notes: notes_of(file, what),
      panels: [
        ...growth_panel('Prompt pass', axis, [series_of('total', 0, x, total ?? [])]),
        ...growth_panel('By component', axis, lines, lines.length),
      ],
    },
    {
      name: `${file.stem}_breakdown`,
      title: 'Prompt pass by component',
      notes: notes_of(file, what),
      panels: stack_panels('', axis.label, bars),
    },
  ];
  return drawable(file, figures, 'T_total or times of components');
}

const ANSWER_AXIS = [
  { key: 'num_output_tokens', label: 'Generated tokens', unit: 'tokens' },
  { key: 'max_new_tokens', label: 'Tokens asked for', unit: 'tokens' },
];

/** exp4_language_tokens_vs_latency[_no_eos|_with_eos].json: pictures by answer lengths. */
export function language_tokens(file: StudyFile): Figure[] {
  const whole = object_of(file);
  const rows = rows_of(file, whole.results, 'results');
  const axis = axis_at(file, rows, ANSWER_AXIS);
  const { values: x } = axis;
  if (whole.use_eos_token === true) tell_once(file, 'answers may end before their length: lengths of one group mix');
  const pieces = [
    ...prompt_pieces(file, rows),
    { look: 'decode' as const, name: 'decode', values: times_at(file, rows, 'T_LLM_decode') },
  ];
  const line = (name: string, look: Look, key: string): Series =>
    series_of(name, look, x, times_at(file, rows, key) ?? []);
  const asked = groups_by(rows.map((row, i) => amount_at(file, row, 'max_new_tokens') ?? x[i] ?? null));
  const bars = bars_of(
    asked.map(({ key }) => [String(key)]),
    asked.map((group) => group.rows),
    pieces,
  );
  const what = `${rows.length} answers, medians at each length`;
  const figures: Figure[] = [
    {
      name: file.stem,
      title: 'What generated tokens cost',
      notes: notes_of(file, what),
      panels: [
        ...growth_panel('Decode', axis, [line('decode', 'decode', 'T_LLM_decode')]),
        ...growth_panel('Whole request', axis, [
          line('total', 0, 'T_total'),
          line('prefill', 'prefill', 'T_LLM_prefill'),
        ]),
      ],
    },
    {
      name: `${file.stem}_breakdown`,
      title: 'Where the time of an answer goes',
      notes: notes_of(file, `means of ${rows.length} answers; above each bar: ms in all`),
      panels: stack_panels('', 'Tokens asked for', bars, true),
    },
  ];
  return drawable(file, figures, 'T_LLM_decode or T_total');
}
