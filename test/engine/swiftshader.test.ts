import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fallback_adapter } from '../../engine/node/adapter_env.ts';
import { cli } from '../support/cli.ts';

// Another driver's arithmetic, and subgroups of another size. A process has one Vulkan driver: this one is a child's.
const named = process.env.MOLMOE_SWIFTSHADER_ICD;
const icd = named ?? fallback_adapter()?.icd;
const reason = icd === undefined ? 'MOLMOE_SWIFTSHADER_ICD names no driver' : existsSync(icd) ? '' : `no file ${icd}`;

it.skipIf(reason !== '')(
  `shipped goldens on SwiftShader${reason && `: skipped, ${reason}`}`,
  async () => {
    const env: Record<string, string> = named === undefined ? {} : { VK_ICD_FILENAMES: named, VK_DRIVER_FILES: named };
    const args = ['verify', '--set', 'tiny', 'odd', '--case', 'text17', 'img2'];
    const { code, stdout } = await cli(args, { env, timeout_ms: 300_000 });
    expect(JSON.parse(stdout)).toMatchObject({ adapter: expect.stringContaining('SwiftShader'), cases: 4, passed: 4 });
    expect(code).toBe(0);
  },
  300_000,
);
