/**
 * A reconciler over a real engine, in the network namespace in which this program is started: `host.ts DATA_ROOT` takes
 * calls as JSON lines `{ n, method, args }` on standard input and answers each with `{ n, result }` or `{ n, message }`.
 * It ends, leaving its containers running, when its standard input does.
 */
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { errorText } from '#shared/errors.ts';
import { assignmentDigest, type Assignment } from '#shared/model/assignment.ts';
import { createEngine } from '../../runner/container/create-engine.ts';
import { instanceId, openRunnerDatabase } from '../../runner/database.ts';
import { createImageStore } from '../../runner/image/local-store.ts';
import { createLauncher } from '../../runner/launcher/client.ts';
import { createNetwork, removeNetwork } from '../../runner/network/bridge-network.ts';
import { prepareCgroupTree, removeCgroup } from '../../runner/os/cgroup.ts';
import { createReconciler } from '../../runner/reconcile/loop.ts';

const root = process.argv[2] ?? '';
const binaries = new URL('../../build/bin/', import.meta.url).pathname;
const log = (level: string, message: string): void => void process.stderr.write(`${level}: ${message}\n`);

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
  log,
});
const reconciler = await createReconciler({ database, engine, images, clock: Date.now, log });
const abort = new AbortController();
const run = reconciler.run({ signal: abort.signal });

const methods = {
  load: async (path: string, reference: string) => void (await images.load(createReadStream(path), { reference })),
  apply: async (generation: number, assignment: Assignment) =>
    reconciler.applyComplete({ generation, digest: await assignmentDigest(assignment) }, assignment),
  statuses: async () => reconciler.statuses(),
  list: async () => engine.list(),
  remove: async (id: string) => engine.remove(id, { force: true }),
  /** What a container hears at an address. */
  ask: async (id: string, address: string, port: string) => {
    const args = ['nc', '-w', '2', address, port];
    const defaults = { env: [], cwd: '', user: '', terminal: false, stdin: false };
    await using session = await engine.exec(id, { args, ...defaults });
    return text(session.stdout);
  },
  /** After the last container was removed. */
  clear: async () => {
    await removeNetwork({ launcher, instance });
    await removeCgroup(cgroup.mountPoint + cgroup.path);
  },
} as const;
export type HostMethods = typeof methods;

async function answer(line: string): Promise<void> {
  const { n, method, args } = JSON.parse(line) as { n: number; method: keyof HostMethods; args: never[] };
  const call = methods[method] as (...args: never[]) => Promise<unknown>;
  const reply = await call(...args).then(
    (result) => ({ n, result: result ?? null }),
    (error: unknown) => ({ n, message: errorText(error) }),
  );
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) await answer(line);
abort.abort();
await run;
