/**
 * Exact counts of molmoe-1b, worked out by hand from its configuration. GFLOP to the last digit printed here; a picture of
 * 336x336 and the nine tokens of "Describe this image." unless a table says otherwise.
 */

/** One row of crops: crops with the overview, prompt, ViT with its dead block, connector, prefill with causal attention and with the full square, published formulas (vision, prefill, all with one token). */
export const ONE_ROW = [
  {
    k: 1,
    crops: 2,
    prompt: 326,
    vit: 732.1,
    connector: 13.9,
    prefill: 708.6,
    square: 715.6,
    legacy: [670.3, 4444.3, 5128.2],
  },
  {
    k: 2,
    crops: 3,
    prompt: 422,
    vit: 1098.1,
    connector: 20.8,
    prefill: 919.9,
    square: 931.6,
    legacy: [1005.4, 5753.0, 6772.1],
  },
  {
    k: 3,
    crops: 4,
    prompt: 518,
    vit: 1464.1,
    connector: 27.8,
    prefill: 1132.4,
    square: 1149.9,
    legacy: [1340.5, 7061.8, 8415.9],
  },
  {
    k: 4,
    crops: 5,
    prompt: 614,
    vit: 1830.2,
    connector: 34.7,
    prefill: 1346.1,
    square: 1370.7,
    legacy: [1675.6, 8370.5, 10059.8],
  },
  {
    k: 5,
    crops: 6,
    prompt: 710,
    vit: 2196.2,
    connector: 41.7,
    prefill: 1561.0,
    square: 1594.0,
    legacy: [2010.8, 9679.3, 11703.7],
  },
  {
    k: 6,
    crops: 7,
    prompt: 806,
    vit: 2562.2,
    connector: 48.6,
    prefill: 1777.1,
    square: 1819.6,
    legacy: [2345.9, 10988.0, 13347.6],
  },
  {
    k: 7,
    crops: 8,
    prompt: 902,
    vit: 2928.3,
    connector: 55.6,
    prefill: 1994.4,
    square: 2047.7,
    legacy: [2681.0, 12296.8, 14991.4],
  },
  {
    k: 8,
    crops: 9,
    prompt: 998,
    vit: 3294.3,
    connector: 62.5,
    prefill: 2212.9,
    square: 2278.1,
    legacy: [3016.1, 13605.5, 16635.3],
  },
  {
    k: 9,
    crops: 10,
    prompt: 1094,
    vit: 3660.3,
    connector: 69.5,
    prefill: 2432.6,
    square: 2511.0,
    legacy: [3351.3, 14914.3, 18279.2],
  },
  {
    k: 10,
    crops: 11,
    prompt: 1190,
    vit: 4026.4,
    connector: 76.4,
    prefill: 2653.6,
    square: 2746.3,
    legacy: [3686.4, 16223.0, 19923.1],
  },
  {
    k: 11,
    crops: 12,
    prompt: 1286,
    vit: 4392.4,
    connector: 83.4,
    prefill: 2875.7,
    square: 2984.0,
    legacy: [4021.5, 17531.8, 21567.0],
  },
  {
    k: 12,
    crops: 13,
    prompt: 1382,
    vit: 4758.4,
    connector: 90.3,
    prefill: 3099.1,
    square: 3224.2,
    legacy: [4356.7, 18840.5, 23210.8],
  },
] as const;

/** Inserted vision tokens and the picture's part of the prompt, by the crops of a row. */
export const ONE_ROW_TOKENS: readonly (readonly [inserted: number, image_part: number])[] = [
  [288, 316],
  [384, 412],
  [480, 508],
  [576, 604],
  [672, 700],
  [768, 796],
  [864, 892],
  [960, 988],
  [1056, 1084],
  [1152, 1180],
  [1248, 1276],
  [1344, 1372],
];

/** Text tokens, prompt, prefill, attention's share of it in percent. */
export const TEXT_LENGTHS: readonly (readonly [text: number, prompt: number, prefill: number, share: number])[] = [
  [50, 367, 798.7, 1.11],
  [150, 467, 1019.4, 1.41],
  [250, 567, 1241.3, 1.7],
  [350, 667, 1464.6, 1.99],
  [450, 767, 1689.1, 2.29],
  [550, 867, 1915.0, 2.58],
  [650, 967, 2142.2, 2.86],
  [750, 1067, 2370.7, 3.15],
  [850, 1167, 2600.5, 3.44],
  [950, 1267, 2831.7, 3.72],
  [1050, 1367, 3064.1, 4.0],
  [1150, 1467, 3297.9, 4.28],
  [1250, 1567, 3532.9, 4.56],
  [1350, 1667, 3769.3, 4.83],
  [1450, 1767, 4007.0, 5.11],
  [1500, 1817, 4126.3, 5.25],
];

/** New tokens, forced; decode steps, their FLOPs, the mean of one. */
export const ANSWER_LENGTHS: readonly (readonly [tokens: number, steps: number, decode: number, mean: number])[] = [
  [1, 0, 0, 0],
  [5, 4, 9.6, 2.4008],
  [8, 7, 16.81, 2.401],
  [10, 9, 21.61, 2.4011],
  [16, 15, 36.02, 2.4015],
  [20, 19, 45.63, 2.4018],
  [32, 31, 74.48, 2.4025],
  [50, 49, 117.78, 2.4037],
  [64, 63, 151.49, 2.4046],
  [100, 99, 238.29, 2.407],
  [128, 127, 305.92, 2.4088],
  [200, 199, 480.3, 2.4136],
  [256, 255, 616.39, 2.4172],
  [512, 511, 1243.78, 2.434],
  [1024, 1023, 2524.32, 2.4676],
  [2048, 2047, 5188.47, 2.5347],
  [4096, 4095, 10929.1, 2.6689],
];

/** Active blocks; prefill and the first decode step, each with its percent of all sixteen. */
export const DEPTHS: readonly (readonly [
  blocks: number,
  prefill: number,
  of_all: number,
  step: number,
  of_all: number,
])[] = [
  [1, 44.48, 6.3, 0.3432, 14.3],
  [2, 88.76, 12.5, 0.4804, 20.0],
  [3, 133.04, 18.8, 0.6175, 25.7],
  [4, 177.31, 25.0, 0.7547, 31.4],
  [5, 221.59, 31.3, 0.8918, 37.2],
  [6, 265.87, 37.5, 1.029, 42.9],
  [7, 310.15, 43.8, 1.1662, 48.6],
  [8, 354.42, 50.0, 1.3033, 54.3],
  [9, 398.7, 56.3, 1.4405, 60.0],
  [10, 442.98, 62.5, 1.5776, 65.7],
  [11, 487.25, 68.8, 1.7148, 71.4],
  [12, 531.53, 75.0, 1.8519, 77.1],
  [13, 575.81, 81.3, 1.9891, 82.9],
  [14, 620.09, 87.5, 2.1263, 88.6],
  [15, 664.36, 93.8, 2.2634, 94.3],
  [16, 708.64, 100.0, 2.4006, 100.0],
];

/** Experts a token; prefill, the first decode step. */
export const EXPERTS: readonly (readonly [top_k: number, prefill: number, step: number])[] = [
  [1, 249.2, 0.991],
  [2, 314.8, 1.193],
  [4, 446.1, 1.595],
  [8, 708.6, 2.401],
  [16, 1233.7, 4.011],
  [32, 2283.8, 7.232],
  [64, 4384.1, 13.675],
];

/** Experts a token; GB of weights that a decode step reads, 16 bits each. */
export const STEP_WEIGHTS: readonly (readonly [top_k: number, gb: number])[] = [
  [1, 0.948],
  [4, 1.552],
  [8, 2.358],
];
