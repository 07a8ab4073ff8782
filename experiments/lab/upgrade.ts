/** Cells as earlier versions wrote them, in today's shape. What is no cell of an earlier version is left as it is. */
export function upgraded(value: unknown): unknown {
  if (!is_record(value) || value.schema !== 'molmoe.configuration/1') return value;
  const { clean, ...rest } = value;
  const nothing_decoded = is_record(value.tokens) && value.tokens.decode_steps === 0;
  const samples = is_record(clean) && Array.isArray(clean.samples) ? clean.samples : undefined;
  return {
    ...rest,
    schema: 'molmoe.configuration/2',
    knobs: {},
    asked: null,
    prompt: null,
    image: null,
    clean: samples === undefined ? clean : { ...(clean as object), samples: samples.map(sample_of(nothing_decoded)) },
    requests: [],
    memory: null,
    scaled: null,
  };
}

/** A decode that did not run was a 0 once. */
const sample_of = (nothing_decoded: boolean) => (sample: unknown) =>
  is_record(sample) && nothing_decoded ? { ...sample, T_LLM_decode: null } : sample;

const is_record = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
