import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../support/random.ts';
import { Machine } from '../vm/machine.ts';
import { fileSystemDefects, hostScript, makeDisk, runBeside } from './power/powered-disk.ts';

/*
 * A virtual machine loses its power in the middle of its work: what its kernel had not written is gone. It boots again
 * upon the same disk, where nothing may be lost of what was answered, and works on. While it works it stands still
 * now and then for a copy of its disk, which is what a loss of power at that moment would have left; those are judged
 * beside it, where a boot takes no half minute.
 */
const rounds = Number(process.env['BERTH_POWER_ROUNDS'] ?? 3);
const seed = Number(process.env['BERTH_SOAK_SEED'] ?? 1);
const copiesPerRound = 20;
/** The emulated processors are slow: beside a disk as fast as the host's, all would be on it before anybody could ask. */
const slowDisk = ',throttling.iops-write=60';
/** Under emulation. */
const longestOperationMs = 1500;
/** A boot and what is looked at after it, on a host that has much else to do. */
const bootMs = 900_000;

const run = promisify(execFile);
const random = new Random(seed);
let directory: string;
let disk: string;
/** Copies are judged one after the other, while the machine works on. */
let judged: Promise<void> = Promise.resolve();
const differing: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-power-'));
  disk = join(directory, 'disk');
  await mkdir(join(directory, 'runs'));
  await writeFile(join(directory, 'journal'), '');
  await makeDisk(disk);
  await runBeside(disk, directory, 'prepare');
});
afterAll(async () => {
  await judged;
  await rm(directory, { recursive: true, force: true });
});

interface Count {
  readonly answered: number;
  readonly refused: readonly string[];
}

/** How much was answered until now; what was refused should not have been. */
async function count(): Promise<Count> {
  const lines = (await readFile(join(directory, 'journal'), 'utf8')).split('\n').slice(0, -1);
  return {
    answered: lines.filter((line) => line.includes('"answered":')).length,
    refused: lines.filter((line) => line.includes('"refused":')),
  };
}

/** Waits until something is there. @throws Error when the machine ends before, or it takes too long */
async function waitFor(machine: Machine, what: string, isThere: () => Promise<boolean>): Promise<void> {
  let hasEnded = false;
  void machine.ended.then(() => (hasEnded = true));
  const deadline = performance.now() + bootMs;
  while (!(await isThere())) {
    if (hasEnded || performance.now() > deadline)
      throw new Error(`no ${what}; the machine's console:\n${machine.console}`);
    await delay(20);
  }
}

async function verdict(at: string, name: string): Promise<readonly string[] | undefined> {
  const text = await readFile(join(at, name), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as string[]);
}

/** A copy of all that a loss of power would leave now, with what was told before it. */
async function copyOf(machine: Machine, name: string): Promise<string> {
  const copy = join(directory, name);
  await mkdir(copy);
  await machine.standingStill(async () => {
    await run('cp', ['--sparse=always', disk, join(copy, 'disk')]);
    await run('cp', ['-r', join(directory, 'runs'), copy]);
    await copyFile(join(directory, 'journal'), join(copy, 'journal'));
  });
  return copy;
}

async function judge(copy: string, name: string): Promise<void> {
  const found = [...(await fileSystemDefects(join(copy, 'disk')))];
  await runBeside(join(copy, 'disk'), copy, 'check').catch((error: Error) => found.push(error.message));
  found.push(...((await verdict(copy, 'verdict.json')) ?? ['the check came to no end']));
  if (found.length > 0) found.push((await readFile(join(copy, 'journal'), 'utf8')).split('\n').slice(-12).join('\n'));
  differing.push(...found.map((text) => `${name}: ${text}`));
  await rm(copy, { recursive: true });
}

/** One boot, until its power is lost. */
async function work(round: number): Promise<void> {
  const script = hostScript('/dev/vda', '/exchange', ['work', String(round), String(seed)]);
  const still = 'echo 0 > /proc/sys/vm/dirty_writeback_centisecs';
  await using machine = await Machine.boot(`${still}; ${script}`, directory, [{ path: disk, options: slowDisk }]);
  const name = `verdict${round}.json`;
  await waitFor(machine, 'verdict', async () => (await verdict(directory, name)) !== undefined);
  for (const text of (await verdict(directory, name)) ?? []) differing.push(`boot ${round}: ${text}`);
  if (differing.length > 0 || round === rounds) return;
  for (let copies = 0; copies <= copiesPerRound; copies += 1) {
    const enough = (await count()).answered + 1 + random.below(6);
    await waitFor(machine, 'answers', async () => (await count()).answered >= enough);
    // Oftenest right after an answer, when least of what it told of is on disk; sometimes in the middle of the next.
    await delay(random.next() ** 2 * longestOperationMs);
    if (copies === copiesPerRound) return; // the plug is pulled
    const copyName = `round ${round}, copy ${copies}`;
    const copy = await copyOf(machine, `round${round}copy${copies}`);
    judged = judged.then(() => judge(copy, copyName));
  }
}

test(
  `the power is lost ${rounds} times, and nothing of what was answered (seed ${seed})`,
  { timeout: 3_600_000 },
  async () => {
    for (let round = 0; round <= rounds && differing.length === 0; round += 1) {
      await work(round);
      for (const text of await fileSystemDefects(disk)) differing.push(`after round ${round}: ${text}`);
    }
    await judged;
    const { answered, refused } = await count();
    process.stderr.write(
      `power loss: seed ${seed}, ${rounds} losses and ${rounds * copiesPerRound} copies, ${answered} operations answered\n`,
    );
    expect([...differing, ...refused]).toEqual([]);
    expect(answered).toBeGreaterThan(rounds * copiesPerRound);
  },
);
