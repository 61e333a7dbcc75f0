import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NetworkNamespace } from '../network/namespace.ts';
import { removeCgroups } from '../support/stage/containers.ts';

const run = promisify(execFile);
const berth = join(import.meta.dirname, '..', '..', 'bin', 'berth');

let directory: string;
let namespace: NetworkNamespace;
const runners: ChildProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-runner-'));
  namespace = await NetworkNamespace.create();
});

afterEach(async () => {
  for (const runner of runners.splice(0)) await end(runner, 'SIGKILL');
  const instances = ['a', 'b'].flatMap((name) => instanceOf(join(directory, name)));
  await namespace[Symbol.asyncDispose]();
  for (const instance of instances) await removeCgroups(instance, AbortSignal.timeout(60_000));
  await rm(directory, { recursive: true, force: true });
});

/** A standalone runner in the test's network namespace; resolves with its first line. */
async function start(name: string): Promise<{ runner: ChildProcess; line: string }> {
  // nsenter becomes the program: its pid is the runner's.
  const options = ['--data-root', join(directory, name), '--socket', join(directory, `${name}.sock`)];
  const runner = spawn('nsenter', [`--net=/run/netns/${namespace.name}`, berth, 'runner', '--standalone', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  runners.push(runner);
  let errors = '';
  runner.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const ended = once(runner, 'exit').then(() => Promise.reject(new Error(`the runner ended: ${errors}`)));
  ended.catch(() => {});
  const [line] = (await Promise.race([once(createInterface({ input: runner.stdout }), 'line'), ended])) as [string];
  return { runner, line };
}

async function end(runner: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (runner.exitCode !== null || runner.signalCode !== null) return runner.exitCode;
  const exited = once(runner, 'exit') as Promise<[number | null]>;
  runner.kill(signal);
  return (await exited)[0];
}

function instanceOf(dataRoot: string): string[] {
  try {
    using database = new DatabaseSync(join(dataRoot, 'runner.db'));
    const row = database.prepare("select value from meta where key = 'instance'").get();
    return row === undefined ? [] : [String(row['value'])];
  } catch {
    return []; // this test has not made it
  }
}

async function docker(name: string, ...args: string[]): Promise<string> {
  return (await run('docker', ['-H', `unix://${join(directory, `${name}.sock`)}`, ...args])).stdout;
}

test('a standalone runner answers the docker CLI, is alone on its data root, and stops in good order', async () => {
  const { runner, line } = await start('a');
  expect(line).toMatch(/^berth runner: ready, host \S+, socket .*\/a\.sock$/);
  expect(await docker('a', 'version', '--format', '{{.Server.Platform.Name}} {{.Server.APIVersion}}')).toMatch(
    /^Berth 1\.\d+\n$/,
  );
  expect((await stat(join(directory, 'a'))).mode & 0o777).toBe(0o700);
  await expect(start('a')).rejects.toThrow(
    `The data root ${join(directory, 'a')} is in use by another runner (pid ${runner.pid})`,
  );
  expect(await end(runner, 'SIGTERM')).toBe(0);
  const again = await start('a');
  expect(await end(again.runner, 'SIGINT')).toBe(0);
});

test('a runner that was killed leaves nothing that keeps the next from starting; two data roots do not meet', async () => {
  const { runner } = await start('a');
  await end(runner, 'SIGKILL');
  const [again, other] = await Promise.all([start('a'), start('b')]);
  const id = (name: string) => docker(name, 'info', '--format', '{{.ID}}');
  const ids = [await id('a'), await id('b')];
  expect(await end(again.runner, 'SIGTERM')).toBe(0);
  expect(await id('b')).toBe(ids[1]);
  expect(await end(other.runner, 'SIGTERM')).toBe(0);
  expect(ids).toEqual(['a', 'b'].map((name) => `${instanceOf(join(directory, name))[0]}\n`));
  expect(ids[0]).not.toBe(ids[1]);
});

test('a data root without a cluster is told what to do', async () => {
  const failure: unknown = await run(berth, ['runner', '--data-root', join(directory, 'a')]).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/belongs to no cluster\nJoin one first: berth runner join URL --token T/) as string,
  });
});
