import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { chromium_path } from '../support/browser.ts';

/** Chromium with WebGPU on SwiftShader, which needs no GPU; or, on a machine without one, with no adapter at all. */
export function open_gpu_browser(adapter: 'swiftshader' | 'none' = 'swiftshader'): Promise<Browser> {
  const swiftshader = [
    ...['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--disable-vulkan-surface'],
    ...['--use-angle=vulkan', '--use-vulkan=swiftshader', '--use-webgpu-adapter=swiftshader'],
  ];
  return chromium.launch({
    executablePath: chromium_path,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(adapter === 'swiftshader' ? swiftshader : ['--disable-gpu']),
    ],
  });
}

/** A folder of these files, to be served. */
export function scratch_folder(files: Readonly<Record<string, string | Uint8Array>>): {
  readonly path: string;
  readonly remove: () => void;
} {
  const path = mkdtempSync(join(tmpdir(), 'molmoe-web-'));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
