import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const FOLDERS = ['/usr/bin', '/usr/local/bin', '/snap/bin'];
const APPS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** CHROMIUM_PATH, or the first Chromium or Chrome in the usual places and on PATH. */
function find_chromium(): string | undefined {
  const folders = [...FOLDERS, ...(process.env.PATH ?? '').split(delimiter)];
  const places = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const wanted = process.env.CHROMIUM_PATH;
  return (wanted ? [wanted] : [...places, ...APPS]).find(is_executable);
}

function is_executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const chromium_path = find_chromium();

/** Why tests with a browser are skipped; undefined where they run. */
export const no_browser =
  chromium_path === undefined ? 'no Chromium or Chrome found: install one or set CHROMIUM_PATH' : undefined;

export function open_browser(): Promise<Browser> {
  // Chromium's sandbox refuses to start as root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: chromium_path, args });
}
