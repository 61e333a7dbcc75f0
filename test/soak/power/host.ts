/**
 * A host that loses its power, or what is left of one: a runner upon a disk at /srv, in the virtual machine or beside it.
 *
 * `prepare`: a data root with the test's image, and a database whose log has come round. `check`: what a loss of power
 * has left, and that all of it can be taken away. `work ROUND SEED`: the same check, and then workers that do this and
 * that and tell of every answer, until the power is lost.
 *
 * @param argv the exchange directory, and the verb with its words
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { call } from '../../support/call-socket.ts';
import { Random } from '../../support/random.ts';
import { audit } from '../audit.ts';
import { loadImage } from '../operation.ts';
import { RunnerUnderFire } from '../runner-under-fire.ts';
import { chooseOperation } from './choose.ts';
import { read, write } from './journal.ts';
import { perform } from './perform.ts';
import { verify } from './verify.ts';
import { after, type World } from './world.ts';

const workers = 2;
const dataRoot = '/srv/data';
/** Each is several pages of the log, which is written from its beginning again after a thousand. */
const warmUps = 600;

const [exchange = '', verb = '', round = '', seed = ''] = process.argv.slice(2);
const journal = join(exchange, 'journal');

async function ask(runner: RunnerUnderFire, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await call(runner.socketPath, method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function prepare(runner: RunnerUnderFire): Promise<void> {
  await runner.start();
  await loadImage(runner);
  for (let count = 0; count < warmUps; count += 1) {
    await ask(runner, 'POST', '/volumes/create', { Name: 'warm' });
    await ask(runner, 'DELETE', '/volumes/warm');
  }
  await runner.kill();
}

async function tell(differing: readonly string[]): Promise<void> {
  const path = join(exchange, `verdict${round}.json`);
  await writeFile(`${path}.new`, JSON.stringify(differing));
  await rename(`${path}.new`, path);
}

/** Takes all away, after which nothing may be left of it. */
async function clear(runner: RunnerUnderFire): Promise<readonly string[]> {
  for (const { Id } of (await ask(runner, 'GET', '/containers/json?all=1')) as { Id: string }[]) {
    await ask(runner, 'DELETE', `/containers/${Id}?force=1&v=1`);
  }
  await ask(runner, 'POST', '/networks/prune');
  await ask(runner, 'POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["1"]}')}`);
  return [...(await audit(runner)), ...(await runner.errors())].map((text) => `when all was taken away: ${text}`);
}

async function check(runner: RunnerUnderFire): Promise<void> {
  const { differing } = await verify(runner, read(await readFile(journal, 'utf8'), workers));
  await tell([...differing, ...(await clear(runner))]);
}

async function work(runner: RunnerUnderFire): Promise<void> {
  const { differing, worlds } = await verify(runner, read(await readFile(journal, 'utf8'), workers));
  for (const [worker, settled] of worlds.entries()) write(journal, { worker, settled });
  await tell(differing);
  if (differing.length > 0) return;
  await Promise.all(worlds.map((world, worker) => keepBusy(runner, worker, world)));
}

/** One operation after the other, each told of before it begins and when it is answered; it never ends. */
async function keepBusy(runner: RunnerUnderFire, worker: number, begin: World): Promise<never> {
  const random = new Random(Number(seed) * 10_000 + Number(round) * 10 + worker);
  let names = 0;
  const fresh = (): string => `w${worker}r${round}n${(names += 1)}`;
  let world = begin;
  for (;;) {
    const asked = chooseOperation(world, random, fresh);
    write(journal, { worker, asked });
    try {
      await perform(runner, world, asked);
      write(journal, { worker, answered: true });
      world = after(world, asked);
    } catch (error) {
      write(journal, { worker, refused: error instanceof Error ? error.message : String(error) });
    }
  }
}

const verbs: Readonly<Record<string, (runner: RunnerUnderFire) => Promise<void>>> = { prepare, check, work };
await using runner = await RunnerUnderFire.create(dataRoot);
await verbs[verb]?.(runner);
