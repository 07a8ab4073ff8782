export type {
  BatchAnswer,
  BatchGeneration,
  BatchRefusal,
  BatchRequestOptions,
  BatchResult,
  BatchTextToken,
} from '../engine/batch_requests.ts';
export { InputError, UsageError } from '../engine/errors.ts';
export type { StageResult } from '../engine/generate.ts';
export { formula_picture, type Picture } from '../engine/input/pictures.ts';
export type { Counts, Ledger, LedgerRow } from '../engine/meter/ledger.ts';
export type { Sampling } from '../engine/model/decoder.ts';
export type { BlockKnobs, CropKnob, Knobs } from '../engine/model/knobs.ts';
export type { GenerateRequest, GenerateResult, Generation, Look, ModelFacts, Token } from '../engine/molmoe.ts';
export { type DecodedPicture, decode_image } from '../engine/node/decode_image.ts';
export { type KnownModel, type LoadOptions, Molmoe } from '../engine/node/load.ts';
