import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import type { AdapterFacts } from '../engine/gpu/device.ts';

const FOLDER = join('bench', 'history');

/** A GPU's description names its driver alone: its model is the device. */
export function adapter_name({ type, device, description }: AdapterFacts): string {
  const words = type === 'hardware' ? [device, description] : [description || device];
  return words.filter((word) => word !== '').join(', ');
}

function file_of(facts: AdapterFacts): string {
  const words = adapter_name(facts).match(/[A-Za-z0-9]+/g) ?? [];
  return join(FOLDER, `${words.join('_').toLowerCase()}.jsonl`);
}

export type HistoryRecord = ReturnType<typeof record_of>;

export function record_of(facts: AdapterFacts, results: Readonly<Record<string, unknown>>) {
  return {
    schema: 'molmoe.bench/1' as const,
    date: new Date().toISOString(),
    version: typeof __VERSION__ === 'string' ? __VERSION__ : 'source',
    commit: typeof __COMMIT__ === 'string' ? __COMMIT__ : 'unknown',
    dirty: typeof __DIRTY__ === 'boolean' ? __DIRTY__ : true,
    adapter: adapter_name(facts),
    host: { cpu: cpus()[0]?.model, cores: cpus().length, memory_bytes: totalmem(), node: process.version },
    results,
  };
}

/** What was measured on this adapter before, the oldest first. */
export function read_history(facts: AdapterFacts): HistoryRecord[] {
  return read_records(file_of(facts));
}

/** Of all adapters, the oldest first. */
export function read_all_history(): HistoryRecord[] {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl')) : [];
  return files.flatMap((name) => read_records(join(FOLDER, name))).sort((a, b) => a.date.localeCompare(b.date));
}

function read_records(file: string): HistoryRecord[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as HistoryRecord);
}

export function append_history(facts: AdapterFacts, record: HistoryRecord): void {
  mkdirSync(FOLDER, { recursive: true });
  appendFileSync(file_of(facts), `${JSON.stringify(record)}\n`);
}
