/**
 * A container engine alone, in the network namespace in which this program is started: `engine-host.ts DATA_ROOT` takes
 * calls as JSON lines `{ n, method, args }` on standard input, many at once, and answers each with `{ n, result }` or
 * `{ n, code, message }`. It ends, leaving its containers running, when its standard input does.
 */
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { errorText, isBerthError } from '#shared/errors.ts';
import { containerConfig } from '../../runner/container/config.ts';
import { createEngine } from '../../runner/container/create-engine.ts';
import type { Engine, LogEntry, LogOptions } from '../../runner/container/engine.ts';
import { instanceId, openRunnerDatabase } from '../../runner/database.ts';
import { createImageStore } from '../../runner/image/local-store.ts';
import { createLauncher } from '../../runner/launcher/client.ts';
import type { ExecRequest } from '../../runner/launcher/launcher.ts';
import { createNetwork, removeNetwork } from '../../runner/network/bridge-network.ts';
import { prepareCgroupTree, removeCgroup } from '../../runner/os/cgroup.ts';

const root = process.argv[2] ?? '';
const binaries = new URL('../../build/bin/', import.meta.url).pathname;

await mkdir(root, { recursive: true, mode: 0o700 });
using database = openRunnerDatabase(join(root, 'runner.db'));
const instance = instanceId(database);
const cgroup = await prepareCgroupTree(instance);
const images = await createImageStore({
  database,
  directory: join(root, 'images'),
  unpackBinary: join(binaries, 'berth-unpack'),
});
await using launcher = await createLauncher({
  binary: join(binaries, 'berth-launcher'),
  cgroupRoot: cgroup.mountPoint,
  shimCgroup: join(cgroup.mountPoint, cgroup.path, 'shims'),
  cacheDirectory: join(root, 'cache'),
  controllers: cgroup.controllers,
});
await using network = await createNetwork({ database, launcher, instance });
await using engine = await createEngine({
  database,
  images,
  network,
  launcher,
  directory: join(root, 'containers'),
  cgroup,
  clock: Date.now,
  log: (level, message) => process.stderr.write(`${level}: ${message}\n`),
});

async function run(id: string, request: Partial<ExecRequest>): Promise<unknown> {
  const defaults = { args: [], env: [], cwd: '', user: '', terminal: false, stdin: false };
  await using session = await engine.exec(id, { ...defaults, ...request });
  const [stdout, stderr, exitCode] = await Promise.all([text(session.stdout), text(session.stderr), session.exit]);
  return { stdout, stderr, exitCode };
}

async function readAll(id: string, options: LogOptions): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of engine.logs(id, options)) entries.push(entry);
  return entries;
}

/** What of the engine a test may call. */
const methods = {
  load: async (path: string, reference: string) => images.load(createReadStream(path), { reference }),
  removeImage: (reference: string) => images.remove(reference),
  create: (config: unknown) => engine.create(containerConfig.parse(config)),
  start: (...args: Parameters<Engine['start']>) => engine.start(...args),
  stop: (...args: Parameters<Engine['stop']>) => engine.stop(...args),
  kill: (...args: Parameters<Engine['kill']>) => engine.kill(...args),
  remove: (...args: Parameters<Engine['remove']>) => engine.remove(...args),
  wait: (id: string) => engine.wait(id),
  find: async (reference: string) => engine.find(reference),
  list: async () => engine.list(),
  exec: run,
  logs: readAll,
  place: async () => ({ instance, cgroup: cgroup.mountPoint + cgroup.path, gateway: network.gateway }),
  /** From now on no record can be changed to one of these states, as on a full disk; an empty list ends that. */
  refuse: async (...states: string[]) => {
    database.exec('drop trigger if exists refuse');
    if (states.length === 0) return;
    const list = states.map((state) => `'${state}'`).join(', ');
    database.exec(`create temp trigger refuse before update on main.containers when new.state in (${list})
      begin select raise(abort, 'database or disk is full'); end`);
  },
  /** After the last container was removed. */
  clear: async () => {
    await removeNetwork({ launcher, instance });
    await removeCgroup(cgroup.mountPoint + cgroup.path);
  },
} as const;
export type EngineMethods = typeof methods;

async function answer(line: string): Promise<void> {
  const { n, method, args } = JSON.parse(line) as { n: number; method: keyof EngineMethods; args: never[] };
  let reply: unknown;
  try {
    const call = methods[method] as (...args: never[]) => Promise<unknown>;
    reply = { n, result: (await call(...args)) ?? null };
  } catch (error) {
    const code = isBerthError(error) ? error.code : 'internal';
    reply = { n, code, message: errorText(error), stack: error instanceof Error ? error.stack : '' };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

process.stdout.write('ready\n');
const answers = new Set<Promise<void>>();
for await (const line of createInterface({ input: process.stdin })) {
  const one = answer(line).finally(() => answers.delete(one));
  answers.add(one);
}
