import { decode_image } from '../../engine/browser/decode_image.ts';
import { open_executor } from '../../engine/browser/gpu.ts';
import { open_http_folder } from '../../engine/browser/http_folder.ts';
import { load_model } from '../../engine/browser/load.ts';
import type { GoldenFiles } from '../../engine/verify/golden.ts';
import { verify_set } from '../../engine/verify/verify_set.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { shapes_sample } from '../../experiments/datasets/shapes.ts';

/** What tests ask of the engine in a browser's worker: bundled, served, and called by name. */
const files: GoldenFiles = {
  label: 'golden',
  bytes: async (path) => new Uint8Array(await (await fetch(`/golden/${path}`)).arrayBuffer()),
  checkpoint: async (set, specs) => open_checkpoint(await open_http_folder(`/golden/${set}`, set), specs),
};

const calls = {
  /** Cases that failed, with what differs; and how many there were. */
  async verify(sets: readonly string[]) {
    const { executor } = await open_executor();
    const failed: unknown[] = [];
    let cases = 0;
    for (const set of sets) {
      for (const report of await verify_set(executor, files, set)) {
        cases += 1;
        if (!report.passed) failed.push({ set, case: report.case, checks: report.checks.filter(({ ok }) => !ok) });
      }
    }
    const { facts } = executor.device;
    executor.destroy();
    return { cases, failed, adapter: `${facts.device} ${facts.description}` };
  },

  /** nano's tokens for pictures of the test split. */
  async answers(count: number) {
    const device = await open_executor();
    const nano = { name: 'nano', folder: await open_http_folder('/nano', 'nano') };
    const { engine } = await load_model(device, { models: [nano] });
    const tokens: (readonly number[])[] = [];
    for (let n = 0; n < count; n++) {
      const { picture, question } = shapes_sample('test', n);
      tokens.push((await engine.generate({ prompt: question, image: picture, maxNewTokens: 16 }).result).tokens);
    }
    engine.close();
    return tokens;
  },

  async decode(name: string, orient: boolean) {
    const file = await (await fetch(`/pictures/${name}`)).blob();
    const { width, height, rgb } = await decode_image(file, name, { orient });
    return { width, height, rgb: [...rgb] };
  },
};

addEventListener('message', async ({ data }: MessageEvent<{ name: keyof typeof calls; args: unknown[] }>) => {
  try {
    const call = calls[data.name] as (...args: unknown[]) => Promise<unknown>;
    postMessage({ value: await call(...data.args) });
  } catch (error) {
    postMessage({ error: (error as Error).message });
  }
});
