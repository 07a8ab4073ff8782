import { FORMATS, is_quantised, QUANT_GROUP, type WeightFormat } from '../../kernels/spec.ts';

/** How matrices are stored, by what they are: quantised formats do not suit all of them. */
export interface Formats {
  /** A linear layer with k inputs. */
  readonly linear: (k: number) => WeightFormat;
  /** Gate, up and down together, since one choice of tiles serves their products. */
  readonly experts: (d_model: number, hidden: number) => WeightFormat;
  /** An error in a router's logits is another expert, not a slightly different sum. */
  readonly router: WeightFormat;
  /** Rows that are looked up: one token reads one of them. */
  readonly table: WeightFormat;
  /** Decides between tokens by itself: 4 bits are not enough. */
  readonly lm_head: (k: number) => WeightFormat;
}

export function formats_of(wanted: WeightFormat): Formats {
  const plain = is_quantised(FORMATS[wanted]) ? 'f16' : wanted;
  const whole_groups = (format: WeightFormat, ...sizes: readonly number[]): WeightFormat =>
    sizes.every((k) => k % QUANT_GROUP === 0) ? format : plain;
  return {
    linear: (k) => whole_groups(wanted, k),
    experts: (d_model, hidden) => whole_groups(wanted, d_model, hidden),
    router: plain,
    table: plain,
    lm_head: (k) => whole_groups(wanted === 'q4' ? 'q8' : wanted, k),
  };
}
