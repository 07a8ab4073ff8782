import type { Configuration, Protocol, Provenance } from '../schema.ts';

/** Where the numbers of a table are from: every export says it, in the way of its format. */
export interface Origin {
  readonly experiment: string;
  readonly title: string;
  /** By what they are: "adapter", "model" ... One line each. */
  readonly facts: Readonly<Record<'adapter' | 'model' | 'runs' | 'times' | 'program' | 'begun', string>>;
}

export interface OriginOf {
  readonly experiment: { readonly name: string; readonly title: string };
  readonly provenance: Provenance;
  readonly protocol: Protocol;
  readonly started: string;
  readonly basis: string | undefined;
  /** Values behind a cell; unknown where only published files are there. */
  readonly configurations?: readonly Configuration[];
  /** Names of experiments that it reads; it then measures nothing itself. */
  readonly reads?: readonly string[];
}

export function origin_of(of: OriginOf): Origin {
  const { experiment, provenance, protocol, started, basis, configurations, reads = [] } = of;
  const { adapter, backend, model, host, package_version, commit, dirty } = provenance;
  const counts = [...new Set(configurations?.map(({ clean }) => clean.samples.length) ?? [protocol.runs])];
  const timed = counts.some((n) => n > 0);
  return {
    experiment: experiment.name,
    title: experiment.title,
    facts: {
      adapter: `${adapter.description || adapter.device} (${adapter.type}, ${backend}); ${host.cpu}, ${host.cores} cores`,
      model: `${model.name}, ${model.weights}, stored as ${model.dtype}`,
      runs:
        reads.length > 0
          ? `none: made of results of ${reads.join(' and ')}`
          : timed
            ? `n = ${counts.join(' or ')} a cell, after ${protocol.warmup} to warm up`
            : 'none: exact counts',
      times: basis ?? (reads.length > 0 ? 'those of these results' : timed ? 'as measured' : 'none'),
      program: `MolmoE Lab ${package_version}, commit ${commit.slice(0, 12)}${dirty ? ' and changes' : ''}`,
      begun: started.slice(0, 10),
    },
  };
}

/** All of it in one line, for a caption. */
export const origin_line = ({ facts }: Origin): string =>
  `${facts.model}; ${facts.adapter}; ${facts.runs}; times: ${facts.times}; ${facts.program}`;
