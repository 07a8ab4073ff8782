import { random_numbers } from '../lab/random.ts';

/** A small network, plainly: two hidden layers of tanh, trained by Adam on all rows at once. The same seed gives the same. */
export interface Network {
  readonly layers: readonly Layer[];
  readonly inputs: readonly Spread[];
  readonly outputs: readonly Spread[];
}

interface Layer {
  readonly inputs: number;
  readonly outputs: number;
  /** [inputs + 1][outputs], the last row for a constant input of 1. */
  readonly weights: Float64Array;
}

interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** null: a target that a row does not have. */
type Targets = readonly (readonly (number | null)[])[];

interface Training {
  readonly rounds: number;
  readonly rate: number;
  readonly seed: number;
  /** Goes on from here, in its units. */
  readonly from?: Network;
}

const HIDDEN = 16;
const [BETA_1, BETA_2, LEAST] = [0.9, 0.999, 1e-8];

export function train_network(rows: readonly (readonly number[])[], targets: Targets, training: Training): Network {
  const { rounds, rate, from, seed } = training;
  const inputs = from?.inputs ?? spreads(rows);
  const outputs = from?.outputs ?? spreads(targets);
  const layers = from
    ? from.layers.map((layer) => ({ ...layer, weights: layer.weights.slice() }))
    : first_layers(inputs.length, outputs.length, seed);
  const x = rows.map((row) => Float64Array.from(row, (value, j) => of_spread(value, inputs[j] as Spread)));
  // NaN: not there.
  const y = targets.map((row) =>
    Float64Array.from(row, (value, j) => (value === null ? Number.NaN : of_spread(value, outputs[j] as Spread))),
  );
  const zeros = () => layers.map(({ weights }) => new Float64Array(weights.length));
  const [slopes, means, squares] = [zeros(), zeros(), zeros()];
  const seen = values_of(layers);
  for (let round = 1; round <= rounds; round++) {
    for (const slope of slopes) slope.fill(0);
    for (let i = 0; i < x.length; i++) add_slopes(layers, x[i] as Float64Array, y[i] as Float64Array, seen, slopes);
    const step = (rate * Math.sqrt(1 - BETA_2 ** round)) / (1 - BETA_1 ** round);
    for (const [l, { weights }] of layers.entries()) {
      const [slope, mean, square] = [slopes[l], means[l], squares[l]] as [Float64Array, Float64Array, Float64Array];
      for (let i = 0; i < weights.length; i++) {
        const g = (slope[i] as number) / x.length;
        mean[i] = BETA_1 * (mean[i] as number) + (1 - BETA_1) * g;
        square[i] = BETA_2 * (square[i] as number) + (1 - BETA_2) * g * g;
        weights[i] = (weights[i] as number) - (step * (mean[i] as number)) / (Math.sqrt(square[i] as number) + LEAST);
      }
    }
  }
  return { layers, inputs, outputs };
}

export function run_network({ layers, inputs, outputs }: Network, row: readonly number[]): number[] {
  const seen = values_of(layers);
  forward(
    layers,
    Float64Array.from(row, (value, j) => of_spread(value, inputs[j] as Spread)),
    seen,
  );
  const last = seen.at(-1) as Float64Array;
  return outputs.map(({ mean, deviation }, j) => mean + deviation * (last[j] as number));
}

/** Room for what comes out of each layer. */
const values_of = (layers: readonly Layer[]): Float64Array[] => layers.map(({ outputs }) => new Float64Array(outputs));

function forward(layers: readonly Layer[], row: Float64Array, seen: readonly Float64Array[]): void {
  let input = row;
  for (let l = 0; l < layers.length; l++) {
    const { inputs, outputs, weights } = layers[l] as Layer;
    const output = seen[l] as Float64Array;
    for (let j = 0; j < outputs; j++) output[j] = weights[inputs * outputs + j] as number;
    for (let i = 0; i < inputs; i++) {
      const value = input[i] as number;
      for (let j = 0; j < outputs; j++)
        output[j] = (output[j] as number) + value * (weights[i * outputs + j] as number);
    }
    if (l + 1 < layers.length) for (let j = 0; j < outputs; j++) output[j] = Math.tanh(output[j] as number);
    input = output;
  }
}

/** Of the mean of squares, over the targets that the row has. */
function add_slopes(
  layers: readonly Layer[],
  row: Float64Array,
  target: Float64Array,
  seen: readonly Float64Array[],
  slopes: readonly Float64Array[],
): void {
  forward(layers, row, seen);
  let error = (seen.at(-1) as Float64Array).map((value, j) => {
    const wanted = target[j] as number;
    return Number.isNaN(wanted) ? 0 : 2 * (value - wanted);
  });
  for (let l = layers.length - 1; l >= 0; l--) {
    const { inputs, outputs, weights } = layers[l] as Layer;
    const input = l > 0 ? (seen[l - 1] as Float64Array) : row;
    const slope = slopes[l] as Float64Array;
    const before = new Float64Array(inputs);
    for (let i = 0; i <= inputs; i++) {
      const value = i < inputs ? (input[i] as number) : 1;
      let back = 0;
      for (let j = 0; j < outputs; j++) {
        const at = i * outputs + j;
        slope[at] = (slope[at] as number) + value * (error[j] as number);
        back += (weights[at] as number) * (error[j] as number);
      }
      // tanh' = 1 - tanh^2; what is handed on below the first layer nobody reads.
      if (i < inputs) before[i] = back * (1 - value * value);
    }
    error = before;
  }
}

function first_layers(inputs: number, outputs: number, seed: number): Layer[] {
  const random = random_numbers(seed);
  const sizes = [inputs, HIDDEN, HIDDEN, outputs];
  return sizes.slice(1).map((size, l) => {
    const from = sizes[l] as number;
    const reach = Math.sqrt(6 / (from + size));
    const weights = Float64Array.from({ length: (from + 1) * size }, (_, i) =>
      i < from * size ? reach * (2 * random() - 1) : 0,
    );
    return { inputs: from, outputs: size, weights };
  });
}

/** Mean and deviation of each column; of one that does not vary the deviation is 1. */
function spreads(rows: Targets): Spread[] {
  return (rows[0] ?? []).map((_, j) => {
    const values = rows.flatMap((row) => row[j] ?? []);
    const mean = values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length || 1);
    return { mean, deviation: Math.sqrt(square) || 1 };
  });
}

const of_spread = (value: number, { mean, deviation }: Spread): number => (value - mean) / deviation;
