import { setTimeout as sleep } from 'node:timers/promises';
import { fake_answer, fake_run, open_worker } from './answers.ts';

/**
 * A worker as a process of its own: folder, shard, samples, and whether some questions fail. It says which answers are
 * safe, in lines of JSON. Bundled and run by the test that kills it.
 */
const [folder = '', shard = '', samples = '', flaky = ''] = process.argv.slice(2);
const log = await open_worker(folder, fake_run(Number(samples)), shard);
const left = [...log.left()];
while (left.length > 0) {
  const group = left.splice(0, 1 + Math.floor(Math.random() * 4));
  await sleep(Math.random() * 4);
  if (flaky === 'flaky' && Math.random() < 0.1) {
    for (const key of group) await log.fail(key, 'lost');
    continue;
  }
  await log.append(group.map((key) => fake_answer(key)));
  process.stdout.write(group.map((key) => `${JSON.stringify(key)}\n`).join(''));
}
await log.close();
