import type { Plugin } from 'vitest/config';

export function bundle_text(path: string): Promise<string>;
export const vite_bundle: Plugin;
