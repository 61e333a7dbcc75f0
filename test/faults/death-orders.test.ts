import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineStage } from '../engine/engine-stage.ts';

/*
 * Whoever dies, in whichever order: first process, shim, spawner, runner; also when the container's cgroup is frozen. The
 * record must say that it has ended, with nothing left of it.
 */

let stage: EngineStage;

beforeAll(async () => {
  stage = await EngineStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

interface Victim {
  readonly id: string;
  readonly pid: number;
  readonly shim: number;
  readonly cgroup: string;
}

async function victim(): Promise<Victim> {
  const { id, pid } = await stage.start(['sleep', '1000']);
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const shim = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  expect((await readFile(`/proc/${shim}/comm`, 'utf8')).trim()).toBe('berth-shim');
  return { id, pid, shim, cgroup: join((await stage.engine.call('place')).cgroup, id) };
}

/** The spawner is the child of the engine that runs from memory. */
async function spawnerPid(): Promise<number> {
  const children = await readFile(`/proc/${stage.engine.pid}/task/${stage.engine.pid}/children`, 'utf8');
  for (const pid of children.split(' ').filter(Boolean)) {
    if ((await readFile(`/proc/${pid}/comm`, 'utf8')).startsWith('memfd:berth')) return Number(pid);
  }
  throw new Error('the engine has no spawner');
}

const freeze = (one: Victim) => writeFile(join(one.cgroup, 'cgroup.freeze'), '1');
/** Kills it, unless it has just ended with another. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function restartEngine(): Promise<void> {
  await stage.engine.kill();
  await stage.restart();
}

const deaths: Readonly<Record<string, (one: Victim) => Promise<void> | void>> = {
  'its first process': ({ pid }) => kill(pid),
  'its shim': ({ shim }) => kill(shim),
  'its shim, while it is frozen': async (one) => {
    await freeze(one);
    kill(one.shim);
  },
  'its first process, while it is frozen': async (one) => {
    await freeze(one);
    kill(one.pid);
  },
  'shim, then first process': ({ shim, pid }) => {
    kill(shim);
    kill(pid);
  },
  'spawner, then shim': async ({ shim }) => {
    kill(await spawnerPid());
    kill(shim);
  },
  'runner, then first process': async ({ pid }) => {
    await stage.engine.kill();
    kill(pid);
    await stage.restart();
  },
  'runner, shim, then the runner comes back': async ({ shim }) => {
    await stage.engine.kill();
    kill(shim);
    await stage.restart();
  },
  'shim, while frozen, and the runner before anybody heard of it': async (one) => {
    await freeze(one);
    kill(one.shim);
    await restartEngine();
  },
  'a shim that is stopped, by a stop of the container': async (one) => {
    process.kill(one.shim, 'SIGSTOP');
    const stopped = stage.engine.call('stop', one.id, { timeoutMs: 0 });
    await delay(300); // time for the request to lie in the stopped shim's socket; without it the kill comes first, as above
    kill(one.shim);
    await stopped;
  },
};

test.each(Object.entries(deaths))('%s', async (_name, act) => {
  const one = await victim();
  await act(one);
  const state = async () => (await stage.engine.call('find', one.id))?.state;
  await expect.poll(state).toBe('exited');
  const record = await stage.engine.call('find', one.id);
  expect([137, 255]).toContain(record?.exitCode);
  expect(record?.pid).toBe(0);
  await expect.poll(() => readFile(join(one.cgroup, 'cgroup.procs'), 'utf8').catch(() => 'gone')).toBe('gone');
  await expect.poll(() => readFile(`/proc/${one.pid}/cmdline`, 'utf8').catch(() => '')).toBe('');
  // It is not stuck: it starts again.
  await stage.engine.call('start', one.id);
  expect(await state()).toBe('running');
  await stage.engine.call('remove', one.id, { force: true });
});

test('a frozen container is stopped and removed', async () => {
  const one = await victim();
  await freeze(one);
  await stage.engine.call('stop', one.id, { timeoutMs: 100 });
  expect((await stage.engine.call('find', one.id))?.state).toBe('exited');
  const other = await victim();
  await freeze(other);
  await stage.engine.call('remove', other.id, { force: true });
  expect(await stage.engine.call('find', other.id)).toBeNull();
});
