import { z } from 'zod';

/** Types of options, made so that a flag can be read from them. Describe each last: `.describe('...')`. */

export const words = <const W extends readonly [string, ...string[]]>(some: W) => z.array(z.enum(some)).min(1);

export const whole = (least: number, most: number) => z.int().min(least).max(most);

export const wholes = (least: number, most: number) => z.array(whole(least, most)).min(1);

/** A flag of it is given once a list. */
export const lists_of_wholes = (least: number, most: number) => z.array(wholes(least, most)).min(1);

export const toggle = () => z.boolean().default(false);

/** What an option may say of itself beside its description. */
export interface OptionMeta {
  readonly description?: string;
  /** The study's own names of it, accepted as flags. */
  readonly aliases?: readonly string[];
  /** In help: `--top-k <list>`. */
  readonly value?: string;
}

export const described = <T extends z.ZodType>(type: T, description: string, meta: OptionMeta = {}): T =>
  type.meta({ ...meta, description });

export interface OptionKind {
  readonly kind: 'toggle' | 'number' | 'text' | 'word';
  readonly many: boolean;
  /** A list of lists: the flag is given once for each. */
  readonly nested: boolean;
  /** Of words. */
  readonly choices: readonly string[];
  readonly fallback: unknown;
}

/** What a flag must know of a type. */
export function kind_of(type: z.ZodType): OptionKind {
  let inner = type as z.ZodType & {
    def: { type: string; innerType?: z.ZodType; element?: z.ZodType; entries?: object };
  };
  let fallback: unknown;
  let lists = 0;
  for (;;) {
    const { def } = inner;
    if (def.type === 'default') fallback = (def as unknown as { defaultValue: unknown }).defaultValue;
    if (def.type === 'array') lists += 1;
    const next = def.type === 'array' ? def.element : def.innerType;
    if (next === undefined) break;
    inner = next as typeof inner;
  }
  const { type: name, entries } = inner.def;
  const kinds: Readonly<Record<string, OptionKind['kind']>> = {
    boolean: 'toggle',
    number: 'number',
    string: 'text',
    enum: 'word',
  };
  const kind = kinds[name];
  if (kind === undefined) throw new Error(`an option of type ${name}: no flag can be made of it`);
  return {
    kind,
    many: lists > 0,
    nested: lists > 1,
    choices: entries === undefined ? [] : Object.values(entries as Record<string, string>),
    fallback,
  };
}
