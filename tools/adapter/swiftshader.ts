import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { FallbackAdapter } from '../../engine/node/adapter_env.ts';
import { run } from './command.ts';

/** A headless browser's package that carries SwiftShader, Google's Vulkan driver for CPUs, as a 4 MB archive. */
const PACKAGE = '@sparticuz/chromium@147.0.0';
const INTEGRITY = 'sha512-4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ==';
const WANTED = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];

/** Unpacks SwiftShader into `cache`, in one move, and returns where its driver and loader lie. Throws with one line. */
export function fetch_swiftshader(cache: string): FallbackAdapter {
  const folder = join(cache, 'swiftshader-147.0.0');
  const found = { icd: join(folder, 'vk_swiftshader_icd.json'), loader: join(folder, 'libvulkan.so.1') };
  if (WANTED.every((name) => existsSync(join(folder, name)))) return found;
  const work = mkdtempSync(join(cache, 'fetch-'));
  try {
    const packed = run('npm', ['pack', PACKAGE, '--loglevel=error', '--fetch-retries=1', '--pack-destination', work], {
      seconds: 300,
    });
    const name = readdirSync(work).find((file) => file.endsWith('.tgz'));
    if (!packed.ok || name === undefined) throw new Error(`npm pack ${PACKAGE}: ${packed.why}`);
    const bytes = readFileSync(join(work, name));
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    if (integrity !== INTEGRITY) throw new Error(`${PACKAGE} has ${integrity}, expected ${INTEGRITY}`);
    const archive = untar(gunzipSync(bytes)).get('package/bin/swiftshader.tar.br');
    if (archive === undefined) throw new Error(`${PACKAGE} holds no bin/swiftshader.tar.br`);
    const files = untar(brotliDecompressSync(archive));
    const unpacked = join(work, 'unpacked');
    mkdirSync(unpacked);
    for (const wanted of WANTED) {
      const content = files.get(wanted);
      if (content === undefined) throw new Error(`${PACKAGE}'s swiftshader.tar.br holds no ${wanted}`);
      writeFileSync(join(unpacked, wanted), content, { mode: 0o755 });
    }
    rmSync(folder, { recursive: true, force: true });
    renameSync(unpacked, folder);
    return found;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The plain files of a tar archive by name; long names and links, which these archives do not use, are left out. */
export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  const text = (at: number, length: number): string =>
    archive
      .toString('latin1', at, at + length)
      .replace(/\0.*$/s, '')
      .trim();
  for (let at = 0; at + 512 <= archive.length; ) {
    const name = text(at, 100);
    if (name === '') break;
    const size = Number.parseInt(text(at + 124, 12) || '0', 8);
    const type = text(at + 156, 1);
    if (!(size >= 0) || at + 512 + size > archive.length) throw new Error(`a damaged archive: ${name} ends early`);
    if (type === '' || type === '0') files.set(name.replace(/^\.\//, ''), archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
