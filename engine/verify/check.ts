/** One comparison: a tensor's largest difference against its limit, or a count that must be equal. */
export interface Check {
  readonly what: string;
  readonly kind: 'difference' | 'experts' | 'tokens' | 'argmax' | 'flops';
  /** Largest absolute difference, or how many entries differ. */
  readonly found: number;
  readonly limit: number;
  /** Of a difference: the root of its mean square over that of what is wanted. */
  readonly relative?: number;
  /** Of a count: how many could differ. */
  readonly of?: number;
  readonly ok: boolean;
  readonly detail?: string;
}
