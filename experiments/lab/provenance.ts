import { cpus, hostname, release, totalmem, type } from 'node:os';
import type { OpenModel } from '../../engine/node/load.ts';
import { type Build, provenance_from } from './origin.ts';
import type { Provenance } from './schema.ts';

/** Everything about program, adapter, model and this host that a number depends on. */
export const provenance_of = (model: OpenModel, build: Build): Promise<Provenance> =>
  provenance_from(
    { ...model, backend: model.adapter.backend, toggles: model.adapter.toggles },
    {
      name: hostname(),
      os: `${type()} ${release()}`,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memory_bytes: totalmem(),
      node: process.version,
    },
    build,
  );
