import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { House, service } from '../house/house.ts';
import { Random } from '../support/random.ts';
import { differences } from './cluster-audit.ts';
import { auditHost } from './host-audit.ts';

/** A failing run is run again with its seed; the moments of its kills are the same up to the machine's own timing. */
const seed = Number(process.env['BERTH_FAULT_SEED'] ?? 1);
const rounds = Number(process.env['BERTH_FAULT_ROUNDS'] ?? 50);

/** Longest until the cluster agrees again: a restart's backoff and a control plane's start are in it. */
const CONVERGENCE_MS = 120_000;
const LONGEST_PAUSE_MS = 400;
const STACKS = ['red', 'green', 'blue'] as const;
const VICTIMS = ['control-plane', 'runner', 'spawner', 'shim', 'container'] as const;
const ACTS = ['apply', 'apply', 'apply', 'scale', 'scale', 'remove'] as const;

let house: House;
beforeAll(async () => {
  house = await House.open();
});
afterAll(async () => {
  await house[Symbol.asyncDispose]();
});

/** One thing that a user does; a control plane that is away, or a stack that is not there, is none of their fault. */
async function act(random: Random): Promise<string> {
  const stack = random.pick(STACKS);
  const replicas = random.below(5);
  const act = random.pick(ACTS);
  const text = `services:\n  web:\n${service({ replicas, environment: { COLOUR: String(random.below(3)) } })}\n`;
  const told = `${act} ${stack} ${replicas}`;
  try {
    if (act === 'apply') await house.admin.apply(stack, text);
    else if (act === 'scale') await house.admin.scale(stack, 'web', replicas);
    else await house.admin.removeStack(stack);
    return told;
  } catch (error) {
    return `${told} (${error instanceof Error ? error.message : String(error)})`;
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has just ended by itself
  }
}

/** Kills one thing with SIGKILL; a daemon is started again at once, as a service manager does. */
async function kill(random: Random): Promise<string> {
  const victim = random.pick(VICTIMS);
  const host = random.pick(house.stage.hosts);
  const draw = random.next();
  if (victim === 'control-plane') {
    await house.daemon(victim).kill();
    house.startControlPlane();
    return victim;
  }
  const audits = victim === 'runner' ? [] : await Promise.all(house.stage.hosts.map(auditHost));
  const candidates = audits.flatMap(({ spawners, shims, cgroups }) => {
    return { runner: [], spawner: spawners, shim: shims, container: [...cgroups.values()].flat() }[victim];
  });
  const pid = candidates[Math.floor(draw * candidates.length)];
  if (pid !== undefined) {
    signal(pid);
    return `${victim} ${pid}`;
  }
  await house.daemon(host.name).kill();
  house.startRunner(host);
  return `runner of ${host.name}`;
}

/** What differs once the cluster has had its time. */
async function settled(): Promise<readonly string[]> {
  const deadline = performance.now() + CONVERGENCE_MS;
  for (;;) {
    const found = await differences(house).catch((error: Error) => [error.message]); // the control plane starts
    if (found.length === 0 || performance.now() > deadline) return found;
    await delay(50);
  }
}

/** Acts and kills at the same time, then waits for peace; answers what happened and what is wrong after it. */
async function round(random: Random): Promise<{ readonly story: string; readonly found: readonly string[] }> {
  const actions = async (draws: Random): Promise<string> => {
    const told: string[] = [];
    for (let left = 1 + draws.below(3); left > 0; left -= 1) {
      told.push(await act(draws));
      await delay(draws.below(LONGEST_PAUSE_MS / 2));
    }
    return told.join(', ');
  };
  const kills = async (draws: Random): Promise<string> => {
    await delay(draws.below(LONGEST_PAUSE_MS));
    const first = await kill(draws);
    if (draws.next() < 0.75) return first;
    await delay(draws.below(LONGEST_PAUSE_MS * 3)); // in the middle of its recovery
    return `${first}, ${await kill(draws)}`;
  };
  const told = await Promise.all([
    actions(new Random(random.below(2 ** 31))),
    kills(new Random(random.below(2 ** 31))).catch((error: Error) => `no kill: ${error.message}`),
  ]);
  return { story: `${told[0]} | killed ${told[1]}`, found: await settled() };
}

test(`kill -9 at ${rounds} random moments (BERTH_FAULT_SEED=${seed})`, { timeout: 2_400_000 }, async () => {
  const random = new Random(seed);
  const log: string[] = [];
  for (let count = 1; count <= rounds; count += 1) {
    const { story, found } = await round(random);
    log.push(`${count}. ${story}`);
    if (process.env['BERTH_TEST_LOG'] !== undefined) process.stderr.write(`${log.at(-1)}\n`);
    if (found.length === 0) continue;
    const context = [`seed ${seed}, round ${count}:`, ...found, 'after:', ...log.slice(-5), await house.stage.tails()];
    throw new Error(context.join('\n'));
  }
  for (const { stack } of await house.admin.services()) await house.admin.removeStack(stack);
  expect(await settled()).toEqual([]);
  for (const host of house.stage.hosts) {
    const { records, leases, portReservations, directories, shims, links, cgroups } = await auditHost(host);
    expect({ records, leases, portReservations, directories, shims, links }).toEqual({
      records: [],
      leases: [],
      portReservations: 0,
      directories: [],
      shims: [],
      links: [],
    });
    expect([...cgroups.keys()]).toEqual([]);
  }
});

/** Descriptors of a process. */
async function descriptors(name: string): Promise<number> {
  return (await readdir(join('/proc', String(house.daemon(name).pid), 'fd'))).length;
}

test('applying and removing over and over leaves no descriptor open', { timeout: 900_000 }, async () => {
  const names = ['control-plane', 'alpha', 'beta'];
  const cycle = async (): Promise<void> => {
    await house.admin.apply('cycle', `services:\n  web:\n${service({ replicas: 4 })}\n`);
    expect(await settled()).toEqual([]);
    await house.admin.removeStack('cycle');
    expect(await settled()).toEqual([]);
  };
  await cycle();
  const first = await Promise.all(names.map(descriptors));
  for (let count = 0; count < 5; count += 1) await cycle();
  // The client's and the host's connections come and go, a few at a time.
  for (const [index, name] of names.entries()) {
    await expect.poll(() => descriptors(name)).toBeLessThanOrEqual((first[index] ?? 0) + 3);
  }
});
