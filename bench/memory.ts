import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RemoteEngine } from '../test/engine/remote-engine.ts';
import { NetworkNamespace } from '../test/network/namespace.ts';
import { startBerthEngine } from './berth-engine.ts';
import { startDockerd } from './peer-dockerd.ts';
import { processTree, pssBytes, rssBytes } from './pss.ts';
import { printTable } from './statistics.ts';

/** Memory (PSS) of the daemons without containers, and what each of 20 running containers adds beside its own process. */
const CONTAINERS = 20;
/** A runner collects what its start used two seconds after it. */
const SETTLED_MS = 4000;
const berth = join(import.meta.dirname, '../bin/berth');
const SLEEP = ['/bin/sleep', '3600'];

interface Figures {
  readonly idleBytes: number;
  readonly perContainerBytes: number;
}

async function total(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(pids.map((pid) => pssBytes(pid)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Every process of this network namespace's programs that is not a container's own: by command name. */
async function daemons(root: number, extra: (command: string) => boolean): Promise<number[]> {
  const below = await processTree(root);
  const all = await processTree(1);
  const wanted = new Set(below.map(({ pid }) => pid));
  for (const { pid, command } of all) if (extra(command)) wanted.add(pid);
  return [...wanted].filter((pid) => all.find((one) => one.pid === pid)?.command !== 'sleep');
}

/** The real program, standalone, once its start has settled: as if it were the only Node process of its host. */
async function idleRunner(): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const host = stack.use(await NetworkNamespace.create());
  const [data, socket] = [join(directory, 'data'), join(directory, 'socket')];
  const argv = ['runner', '--standalone', '--data-root', data, '--socket', socket];
  const runner = spawn('nsenter', [`--net=/run/netns/${host.name}`, berth, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(runner, 'exit');
  stack.defer(async () => {
    runner.kill();
    await exit;
    await using engine = await RemoteEngine.start(host.name, data); // takes away bridge and cgroup
    await engine.call('clear');
  });
  await once(runner.stdout, 'data'); // it is ready
  await delay(SETTLED_MS);
  const [main, ...others] = await processTree(runner.pid ?? 0);
  return (await rssBytes(main?.pid ?? 0)) + (await total(others.map(({ pid }) => pid)));
}

async function ours(): Promise<Figures> {
  await idleRunner(); // the first start after a change of the program compiles it, and has the compiler in its memory
  const idle = await idleRunner();
  await using berth = await startBerthEngine();
  const measure = async (): Promise<number> =>
    total(await daemons(berth.engine.pid, (command) => command.startsWith('berth')));
  const before = await measure();
  for (let n = 0; n < CONTAINERS; n += 1) await berth.start(`sleeper-${n}`, SLEEP);
  return { idleBytes: idle, perContainerBytes: ((await measure()) - before) / CONTAINERS };
}

async function dockerds(): Promise<Figures | undefined> {
  await using dockerd = await startDockerd();
  if (dockerd === undefined) return undefined;
  await using source = await startBerthEngine();
  await dockerd.call('POST', '/images/create?fromSrc=-&repo=busybox&tag=1', createReadStream(source.archive));
  const isPeer = (command: string): boolean => /^(dockerd|containerd|docker-proxy)/.test(command);
  const measure = async (): Promise<number> => total(await daemons(dockerd.pid, isPeer));
  const idleBytes = await measure();
  const ids: string[] = [];
  for (let n = 0; n < CONTAINERS; n += 1) {
    const { Id } = JSON.parse(
      await dockerd.call('POST', `/containers/create?name=sleeper-${n}`, { Image: 'busybox:1', Cmd: SLEEP }),
    ) as { Id: string };
    await dockerd.call('POST', `/containers/${Id}/start`);
    ids.push(Id);
  }
  const perContainerBytes = ((await measure()) - idleBytes) / CONTAINERS;
  for (const id of ids) await dockerd.call('DELETE', `/containers/${id}?force=1`);
  return { idleBytes, perContainerBytes };
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);
const figures = await ours();
const peer = await dockerds();
console.log('\nmemory, PSS in MiB');
printTable([
  ['engine', 'idle', 'per container'],
  ['berth', mebibytes(figures.idleBytes), mebibytes(figures.perContainerBytes)],
  ...(peer === undefined
    ? []
    : [
        ['dockerd + containerd + shims', mebibytes(peer.idleBytes), mebibytes(peer.perContainerBytes)],
        [
          'ratio',
          (peer.idleBytes / figures.idleBytes).toFixed(1),
          (peer.perContainerBytes / figures.perContainerBytes).toFixed(1),
        ],
      ]),
]);
