/**
 * A reconciler over a real engine, in the network namespace in which this program is started: `host.ts DATA_ROOT` serves
 * the calls of `RemoteHost`. It ends, leaving its containers running, when its standard input does.
 */
import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { assignmentDigest, type Assignment } from '#shared/model/assignment.ts';
import { createReconciler } from '../../runner/reconcile/loop.ts';
import { openDataRootEngine } from '../support/data-root-engine.ts';
import { serveCalls } from '../support/serve-calls.ts';

await using host = await openDataRootEngine(process.argv[2] ?? '');
const { database, engine, images, volumes } = host;
const log = (level: string, message: string): void => void process.stderr.write(`${level}: ${message}\n`);
const reconciler = await createReconciler({ database, engine, images, clock: Date.now, log });
const abort = new AbortController();
const run = reconciler.run({ signal: abort.signal });

const methods = {
  load: async (path: string, reference: string) => void (await images.load(createReadStream(path), { reference })),
  apply: async (generation: number, assignment: Assignment) =>
    reconciler.applyComplete({ generation, digest: await assignmentDigest(assignment) }, assignment),
  statuses: async () => reconciler.statuses(),
  list: async () => engine.list(),
  volumes: async () => volumes.list().map(({ name }) => name),
  remove: async (id: string) => engine.remove(id, { force: true }),
  /** What a container hears at an address. */
  ask: async (id: string, address: string, port: string) => {
    const args = ['nc', '-w', '2', address, port];
    const defaults = { env: [], cwd: '', user: '', terminal: false, stdin: false };
    await using session = await engine.exec(id, { args, ...defaults });
    return text(session.stdout);
  },
  clear: () => host.removeTraces(),
} as const;
export type HostMethods = typeof methods;

await serveCalls(methods);
abort.abort();
await run;
