import { z } from 'zod';
import { decode_image } from '../../engine/browser/decode_image.ts';
import { InputError, UsageError } from '../../engine/errors.ts';
import { BUILD } from '../build.ts';
import type { Asked, CallName, Calls, Reply, Stop, Told } from '../protocol.ts';
import { ask, routing } from './ask.ts';
import { are_rounded, device_view } from './device.ts';
import { inside } from './inside.ts';
import { compare_knobs } from './knobs.ts';
import { compare_bundles, e1_files, read_results, run_e1 } from './results.ts';
import { Session, type Tell } from './session.ts';
import { tour } from './tour.ts';
import { verify } from './verify.ts';

// Schemas would be compiled to code, which the page's content policy forbids.
z.config({ jitless: true });

const post = (reply: Reply): void => postMessage(reply);
const session = new Session(BUILD, new URL('.', location.href).href, (why) => post({ lost: why }));

type Work<K extends CallName> = (
  tell: Tell,
  signal: AbortSignal,
  ...args: Parameters<Calls[K]>
) => Promise<ReturnType<Calls[K]>> | ReturnType<Calls[K]>;

const calls: { readonly [K in CallName]: Work<K> } = {
  open: async (_tell, _signal, { without_stamps }) => {
    const device = await session.open(without_stamps);
    const stamped = device.executor.device.features.has('timestamp-query');
    if (!stamped || !(await are_rounded(device))) return device_view(device, false);
    // Rounded stamps say nothing of short kernels: each is timed by the host instead.
    return device_view(await session.open(true), true);
  },
  load: (tell, signal, model, dtype) => session.load(model, dtype, tell, signal),
  decode: (_tell, _signal, file, name) => decode_image(file, name),
  ask: (tell, signal, request) => ask(session.loaded, request, tell, signal),
  inside: (tell, signal, request, floors) => inside(session, request, floors, tell, signal),
  routing: (_tell, signal, request) => routing(session.loaded, request, signal),
  knobs: (tell, signal, request, turned, pairs) => compare_knobs(session.loaded, request, turned, pairs, tell, signal),
  ceilings: (tell, signal) => session.ceilings(tell, signal),
  e1: (tell, signal, choice) => run_e1(session, choice, tell, signal),
  e1_files: (_tell, _signal, format) => e1_files(format),
  read: (_tell, _signal, text, name) => read_results(text, name),
  compare: (_tell, _signal, a, b) => compare_bundles(a, b),
  verify: (tell, signal) => verify(session, tell, signal),
  tour: (tell, signal, step) => tour(session, step, tell, signal),
};

const running = new Map<number, AbortController>();

addEventListener('message', async ({ data }: MessageEvent<Asked | Stop>) => {
  if ('stop' in data) return running.get(data.stop)?.abort();
  const { id, call, args } = data;
  const stop = new AbortController();
  running.set(id, stop);
  const tell = (told: Told) => post({ id, told });
  try {
    const work = calls[call] as (tell: Tell, signal: AbortSignal, ...args: readonly unknown[]) => unknown;
    post({ id, value: await work(tell, stop.signal, ...args) });
  } catch (error) {
    const { message, name } = error as Error;
    post({ id, error: message, name, ours: error instanceof InputError || error instanceof UsageError });
  } finally {
    running.delete(id);
  }
});
