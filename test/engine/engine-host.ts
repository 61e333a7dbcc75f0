/**
 * A container engine alone, in the network namespace in which this program is started: `engine-host.ts DATA_ROOT [DRIVER]`
 * serves the calls of `RemoteEngine`. It ends, leaving its containers running, when its standard input does.
 */
import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { containerConfig } from '../../runner/container/config.ts';
import type { Engine, LogEntry, LogOptions } from '../../runner/container/engine.ts';
import type { ContainerUpdate } from '../../runner/container/updating.ts';
import { endpointConfig } from '../../runner/container/network-config.ts';
import { StatsReaders } from '../../runner/docker-api/stats-readers.ts';
import { statsDocument } from '../../runner/docker-api/translate/stats-document.ts';
import type { NetworkRequest } from '../../runner/network/network-record.ts';
import type { ExecRequest } from '../../runner/launcher/launcher.ts';
import { hostFacts } from '../../runner/os/facts.ts';
import { parseDriverName } from '../../runner/storage/driver-name.ts';
import { openDataRootEngine } from '../support/data-root-engine.ts';
import { serveCalls } from '../support/serve-calls.ts';

await using host = await openDataRootEngine(
  process.argv[2] ?? '',
  process.argv[3] === undefined ? undefined : parseDriverName(process.argv[3]),
);
const { database, images, engine, volumes, cgroup, network, instance } = host;
using statistics = new StatsReaders(engine, cgroup.mountPoint + cgroup.path, Date.now);

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
  pause: (id: string, options?: { momentary?: boolean }) => engine.pause(id, options),
  unpause: (id: string) => engine.unpause(id),
  update: (id: string, update: ContainerUpdate) => engine.update(id, update),
  wait: (id: string) => engine.wait(id),
  find: async (reference: string) => engine.find(reference),
  list: async () => engine.list(),
  volumes: async () => volumes.list(),
  createVolume: (...args: Parameters<typeof volumes.create>) => volumes.create(...args),
  removeVolume: (name: string) => volumes.remove(name),
  createNetwork: (request: NetworkRequest) => engine.createNetwork(request),
  removeNetwork: (id: string) => engine.removeNetwork(id),
  connect: (id: string, endpoint: unknown) => engine.connect(id, endpointConfig.parse(endpoint)),
  disconnect: (id: string, networkId: string) => engine.disconnect(id, networkId),
  networks: async () => network.list(),
  exec: run,
  logs: readAll,
  /** As the Docker API tells them. */
  statistics: async (id: string) => {
    const record = engine.find(id);
    if (record === undefined) throw new Error(`container ${id} is not there`);
    return statsDocument(record, statistics.sample(record), undefined, await hostFacts(cgroup.controllers));
  },
  place: async () => ({ instance, cgroup: cgroup.mountPoint + cgroup.path, gateway: network.gateway }),
  /** From now on no record can be changed to one of these states, as on a full disk; an empty list ends that. */
  refuse: async (...states: string[]) => {
    database.exec('drop trigger if exists refuse');
    if (states.length === 0) return;
    const list = states.map((state) => `'${state}'`).join(', ');
    database.exec(`create temp trigger refuse before update on main.containers when new.state in (${list})
      begin select raise(abort, 'database or disk is full'); end`);
  },
  clear: () => host.removeTraces(),
} as const;
export type EngineMethods = typeof methods;

await serveCalls(methods);
