/** What every bench is given. */
export interface Bench {
  readonly say: (line: string) => void;
  /** Fewer and smaller shapes; nothing of it goes into the history. */
  readonly quick: boolean;
  /** Only kernels, or ladders, whose name holds this. */
  readonly filter?: string;
  /** Only variants of this family, and kernels that have one way alone. */
  readonly family?: string;
  /** Folder for pictures and tables. */
  readonly out: string;
  /** Storage format of a request's weights. */
  readonly dtype: string;
  /** Memory bandwidth by the maker's data sheet, GB/s. */
  readonly rated?: number;
  /** The `dist` folder of another build. */
  readonly before?: string;
  /** Runs a build and request. */
  readonly runs: number;
}
