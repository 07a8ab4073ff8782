import { z } from 'zod';
import type { Files, Saved } from '../lab/define.ts';
import { type Configuration, count, type FitRecord, finding_schema, finite, fit_schema } from '../lab/schema.ts';
import { linear_fit, percentile } from '../lab/stats.ts';
import { answer_findings } from './answer_findings.ts';
import { basis_of_entry } from './entries.ts';
import { sample_entry, sample_entry_schema, set_of, set_shape } from './on_samples.ts';

const PREVIEW = 200;

const entry_schema = sample_entry_schema.extend({
  /** Which picture, and how many tokens were asked for. */
  query_id: count,
  max_new_tokens: count,
  /** Made, with the end-of-text token that ended the answer; without it. */
  num_output_tokens: count,
  num_content_tokens: count,
  ends_with_eos: z.boolean(),
  /** The first token comes out of the prompt pass: a step fewer. */
  decode_steps: count,
  /** Prompt and all tokens asked for: what the cache is made for. */
  kv_positions: count,
  generated_text: z.string(),
  generated_text_full: z.string(),
  generated_text_preview: z.string(),
});

const length_schema = z.strictObject({
  max_new_tokens: count,
  n: count,
  /** Medians over the pictures, of the times that figures rest on. */
  num_output_tokens: finite,
  decode_steps: finite,
  prompt_ms: finite,
  decode_ms: finite.nullable(),
  step_ms: finite.nullable(),
  total_ms: finite,
});
export type Length = z.infer<typeof length_schema>;

export const language_shape = {
  ...set_shape,
  use_eos_token: z.boolean(),
  results: z.array(entry_schema),
  lengths: z.array(length_schema),
  /** ms over decode steps, through the medians: its slope is the cost of an output token. */
  decode_fit: fit_schema.nullable(),
  cost_per_output_token_ms: finite.nullable(),
  findings: z.array(finding_schema),
};
export type Language = Files<{ file: typeof language_shape }>['file'];
type LanguageEntry = Language['results'][number];

export function language_body(saved: Saved) {
  const results = saved.configurations.map(language_entry);
  const lengths = lengths_of(results);
  const decode_fit = decode_fit_of(lengths);
  return {
    ...set_of(saved),
    use_eos_token: saved.configurations.some(({ answer }) => answer?.forced === false),
    results,
    lengths,
    decode_fit,
    cost_per_output_token_ms: decode_fit?.slope ?? null,
    findings: answer_findings(lengths, decode_fit),
  };
}

function language_entry(one: Configuration): LanguageEntry {
  const { text = '', text_full = '', finish } = one.answer ?? {};
  const { num_output_tokens, decode_steps, prompt_length } = one.tokens;
  const asked = Number(one.settings.max_new_tokens);
  return {
    ...sample_entry(one),
    sample_id: Number(one.settings.query_id),
    query_id: Number(one.settings.query_id),
    max_new_tokens: asked,
    num_output_tokens: finish === 'eos' ? num_output_tokens + 1 : num_output_tokens,
    num_content_tokens: num_output_tokens,
    ends_with_eos: finish === 'eos',
    decode_steps,
    kv_positions: prompt_length + asked,
    generated_text: text,
    generated_text_full: text_full,
    generated_text_preview: text.slice(0, PREVIEW),
  };
}

function lengths_of(results: readonly LanguageEntry[]): Length[] {
  const asked = [...new Set(results.map(({ max_new_tokens }) => max_new_tokens))].sort((a, b) => a - b);
  return asked.map((max_new_tokens) => {
    const some = results.filter((entry) => entry.max_new_tokens === max_new_tokens);
    const median = (of: (entry: LanguageEntry) => number | null): number | null => {
      const values = some.flatMap((entry) => of(entry) ?? []);
      return values.length > 0 ? percentile(values, 50) : null;
    };
    const per_step = (entry: LanguageEntry) => {
      const decode = basis_of_entry(entry).T_LLM_decode;
      return decode === null || entry.decode_steps === 0 ? null : decode / entry.decode_steps;
    };
    const numbers = (entry: LanguageEntry) => basis_of_entry(entry);
    return {
      ...{ max_new_tokens, n: some.length },
      num_output_tokens: median((entry) => entry.num_output_tokens) ?? 0,
      decode_steps: median((entry) => entry.decode_steps) ?? 0,
      prompt_ms: median((entry) => (numbers(entry).T_vision_total ?? 0) + (numbers(entry).T_LLM_prefill ?? 0)) ?? 0,
      decode_ms: median((entry) => numbers(entry).T_LLM_decode),
      step_ms: median(per_step),
      total_ms: median((entry) => numbers(entry).T_total) ?? 0,
    };
  });
}

function decode_fit_of(lengths: readonly Length[]): FitRecord | null {
  const points = lengths.flatMap(({ decode_steps, decode_ms }) =>
    decode_ms === null ? [] : [[decode_steps, decode_ms] as const],
  );
  const x = points.map(([steps]) => steps);
  return new Set(x).size < 2
    ? null
    : linear_fit(
        x,
        points.map(([, ms]) => ms),
      );
}
