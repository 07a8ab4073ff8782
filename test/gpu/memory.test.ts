import { describe, expect, it } from 'vitest';
import type { AdapterFacts } from '../../engine/gpu/device.ts';
import { has_room, is_integrated, told_memory } from '../../engine/gpu/memory.ts';
import { test_executor } from '../support/gpu.ts';

const GB = 1e9;

describe('told_memory', () => {
  it('is the largest heap of the device itself', () => {
    const memoryHeaps = [
      { size: 25 * GB, properties: 1 },
      { size: 64 * GB, properties: 2 },
      { size: 0.2 * GB, properties: 1 | 2 },
    ];
    expect(told_memory({ memoryHeaps })).toBe(25 * GB);
  });

  it('is undefined where nothing, or nothing that makes sense, is told', () => {
    for (const memoryHeaps of [
      undefined,
      [],
      [{ size: 8 * GB, properties: 2 }],
      [null],
      [{ size: 'x', properties: 1 }],
    ]) {
      expect(told_memory({ memoryHeaps })).toBeUndefined();
    }
  });
});

describe('is_integrated', () => {
  const facts = (vendor: string, architecture: string, device: string, description = ''): AdapterFacts => ({
    ...{ vendor, architecture, device, description, type: 'hardware', features: [] },
    ...{ subgroup_min_size: 32, subgroup_max_size: 32 },
  });

  it.each<[boolean, AdapterFacts]>([
    [true, facts('apple', 'metal-3', '', 'Apple M3 Pro')],
    [true, facts('intel', 'gen-12lp', '0x9a49', 'Intel(R) Iris(R) Xe Graphics')],
    [true, facts('amd', 'gcn-5', '0x1638', 'AMD Radeon Graphics (RADV RENOIR)')],
    [true, facts('amd', 'rdna-3', '0x15bf', 'AMD Radeon(TM) 780M Graphics')],
    [true, facts('qualcomm', 'adreno-7xx', '', 'Adreno (TM) 740')],
    [false, facts('intel', 'xe-hpg', '0x56a0', 'Intel(R) Arc(TM) A770 Graphics')],
    [false, facts('nvidia', 'ampere', '0x2204', 'NVIDIA GeForce RTX 3090')],
    [false, facts('amd', 'rdna-2', '0x73bf', 'AMD Radeon RX 6800 XT (RADV NAVI21)')],
  ])('%s: %o', (integrated, adapter) => {
    expect(is_integrated(adapter)).toBe(integrated);
  });
});

describe('has_room', async () => {
  const limited = await test_executor('auto', { memory_limit_bytes: 300e6 });

  it('tries under the limit, gives all of it back, and says no beyond it', async () => {
    const held = limited.buffers.memory().total.current;
    expect(await has_room(limited, 250e6)).toBe(true);
    expect(await has_room(limited, 350e6)).toBe(false);
    expect(await has_room(limited, 250e6)).toBe(true);
    expect(limited.buffers.memory().total.current).toBe(held);
  });

  it('counts what is held already', async () => {
    const held = limited.buffers.create('held', 100e6, 'weights');
    expect(await has_room(limited, 250e6)).toBe(false);
    limited.buffers.destroy(held);
    expect(await has_room(limited, 250e6)).toBe(true);
  });

  it('beyond the limit a buffer fails with the error of a full GPU', () => {
    const { create } = limited.buffers;
    for (const name of ['one', 'two']) create(name, 100e6, 'weights');
    expect(() => create('three', 110e6, 'kv')).toThrow(
      /out of GPU memory for "three": asked for 105 MiB with 191 MiB held; try a smaller/,
    );
    limited.buffers.sweep(0, true);
  });
});
