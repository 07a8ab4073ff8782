/** Run as a child process, since a broken driver may crash or hang: prints the adapter found as JSON, or null. */
import { create } from 'webgpu';
import { fallback_adapter, prepare_adapter_env, use_fallback } from '../../engine/node/adapter_env.ts';

const fallback = process.argv[2] === 'fallback' ? fallback_adapter() : undefined;
if (fallback) use_fallback(fallback);
else if (process.argv[2] !== 'own') prepare_adapter_env();

const gpu = create(process.platform === 'linux' ? ['backend=vulkan'] : []);
const adapter = await gpu.requestAdapter();
const info = adapter?.info;
const is_null = info !== undefined && /null backend/i.test(`${info.vendor} ${info.description}`);
process.stdout.write(`${JSON.stringify(info && !is_null ? info.description || info.device || info.vendor : null)}\n`);
