import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { decode_image } from '../../engine/node/decode_image.ts';
import { shapes_sample } from '../../experiments/datasets/shapes.ts';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-shapes-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

it('shapes writes the pictures that the data set has, with what is asked about them', async () => {
  const out = join(scratch, 'deep/er');
  const { code, stdout } = await cli(['shapes', '--out', out, '--from', '7', '--num-samples', '3', '--json']);
  expect(code).toBe(0);
  const { schema, samples } = JSON.parse(stdout);
  expect([schema, samples.length]).toEqual(['molmoe.shapes/1', 3]);
  expect(JSON.parse(readFileSync(join(out, 'samples.json'), 'utf8')).samples).toEqual(samples);
  expect(readdirSync(out).length).toBe(4);
  for (const [i, { picture, ...said }] of samples.entries()) {
    const { id: _, picture: wanted, ...asked } = shapes_sample('test', 7 + i);
    expect(said).toEqual(asked);
    const { width, height, rgb } = await decode_image(join(out, picture));
    expect({ width, height, rgb: Uint8Array.from(rgb) }).toEqual(wanted);
  }
});

it('the picture of the first page is one of them', async () => {
  const { width, height, rgb } = await decode_image(join(repo_root, 'docs/pictures/shapes.png'));
  expect({ width, height, rgb: Uint8Array.from(rgb) }).toEqual(shapes_sample('test', 8).picture);
});

it('refuses a place that is no folder in one line', async () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  const { code, errors } = await cli(['shapes', '--out', join(file, 'x')]);
  expect(code).toBe(1);
  expect(errors).toEqual([expect.stringMatching(/^error: .*expected a folder that can be written, found /)]);
});
