import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call } from '../support/call-socket.ts';
import { Random } from '../support/random.ts';
import { audit } from './audit.ts';
import { createContainer, loadImage, operations, type Operation, type Target } from './operation.ts';
import { RunnerUnderFire } from './runner-under-fire.ts';

const kills = Number(process.env['BERTH_SOAK_KILLS'] ?? 220);
const seed = Number(process.env['BERTH_SOAK_SEED'] ?? 1);
const names = Object.keys(operations);

let runner: RunnerUnderFire;
const random = new Random(seed);
/** How long each operation took when it was let through last, in milliseconds. */
const durations = new Map<string, number>();

beforeAll(async () => {
  runner = await RunnerUnderFire.create();
  await runner.start();
  await loadImage(runner);
});
afterAll(() => runner[Symbol.asyncDispose]());

/** A running container with a volume, and one that was never started. */
async function targetOf(name: string): Promise<Target> {
  const running = await createContainer(runner, `${name}-running`, {
    HostConfig: { Binds: [`${name}-data:/data`], RestartPolicy: { Name: random.pick(['no', 'always']) } },
  });
  const started = await call(runner.socketPath, 'POST', `/containers/${running}/start`);
  if (started.status !== 204) throw new Error(`start: ${started.status} ${JSON.stringify(started.body)}`);
  const created = await createContainer(runner, `${name}-created`, { Volumes: { '/data': {} } });
  return { runner, name, running, created };
}

/** kill -9 of the shim of a container: the parent of its first process. */
async function killShim({ running }: Target): Promise<void> {
  const { body } = await call(runner.socketPath, 'GET', `/containers/${running}/json`);
  const { Pid } = (body as { State: { Pid: number } }).State;
  const stat = await readFile(`/proc/${Pid}/stat`, 'utf8').catch(() => '');
  const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  const name = await readFile(`/proc/${parent}/comm`, 'utf8').catch(() => '');
  if (name.trim() === 'berth-shim') process.kill(parent, 'SIGKILL');
}

/** Begins the operation and kills the runner somewhere in its middle, sometimes a shim before it. */
async function killDuring(name: string, operation: Operation, target: Target): Promise<void> {
  if (random.next() < 0.15) await killShim(target);
  const begun = performance.now();
  const done = operation(target).then(
    () => durations.set(name, performance.now() - begun),
    () => undefined, // the kill's doing
  );
  await Promise.race([done, delay(random.next() * (durations.get(name) ?? 0) * 1.1)]);
  await runner.kill();
  await done;
}

/** Takes away what a round has made, so that the next begins with nothing but the image. */
async function clear(): Promise<void> {
  const { body } = await call(runner.socketPath, 'GET', '/containers/json?all=1');
  for (const { Id } of body as { Id: string }[]) {
    await call(runner.socketPath, 'DELETE', `/containers/${Id}?force=1&v=1`);
  }
  await call(runner.socketPath, 'POST', '/networks/prune');
  await call(runner.socketPath, 'POST', `/volumes/prune?filters=${encodeURIComponent('{"all":["1"]}')}`);
}

test('every operation does its work when nobody kills the runner', { timeout: 600_000 }, async () => {
  const differing: string[] = [];
  for (const [name, operation] of Object.entries(operations)) {
    const target = await targetOf(`whole-${durations.size}`);
    const begun = performance.now();
    await operation(target);
    durations.set(name, performance.now() - begun);
    for (const text of await audit(runner, name)) differing.push(`"${name}": ${text}`);
    await clear();
  }
  expect(differing).toEqual([]);
});

test(
  `kill -9 of the runner in the middle of an operation, ${kills} times (seed ${seed})`,
  { timeout: 3_600_000 },
  async () => {
    const differing: string[] = [];
    const done = new Map<string, number>();
    for (let round = 0; round < kills; round += 1) {
      const name = names[round % names.length] ?? '';
      const operation = operations[name];
      if (operation === undefined) continue;
      const target = await targetOf(`r${round}`);
      await killDuring(name, operation, target);
      await runner.start();
      for (const text of await audit(runner, name)) differing.push(`kill ${round}, during "${name}": ${text}`);
      await clear();
      for (const text of await audit(runner)) differing.push(`kill ${round}, "${name}", cleared: ${text}`);
      done.set(name, (done.get(name) ?? 0) + 1);
    }
    if (differing.length > 0) differing.push(await runner.log());
    differing.push(...(await runner.errors()));
    expect(differing).toEqual([]);
    expect([...done.keys()].toSorted()).toEqual(names.toSorted());
  },
);
