import { createReadStream } from 'node:fs';
import { startBerthEngine } from './berth-engine.ts';
import { startDockerd } from './peer-dockerd.ts';
import { processTree, pssBytes } from './pss.ts';
import { printTable } from './statistics.ts';

/** Memory (PSS) of the daemons without containers, and what each of 20 running containers adds beside its own process. */
const CONTAINERS = 20;
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

async function ours(): Promise<Figures> {
  await using berth = await startBerthEngine();
  const measure = async (): Promise<number> =>
    total(await daemons(berth.engine.pid, (command) => command.startsWith('berth')));
  const idleBytes = await measure();
  for (let n = 0; n < CONTAINERS; n += 1) await berth.start(`sleeper-${n}`, SLEEP);
  return { idleBytes, perContainerBytes: ((await measure()) - idleBytes) / CONTAINERS };
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
const berth = await ours();
const peer = await dockerds();
console.log('\nmemory, PSS in MiB');
printTable([
  ['engine', 'idle', 'per container'],
  ['berth', mebibytes(berth.idleBytes), mebibytes(berth.perContainerBytes)],
  ...(peer === undefined
    ? []
    : [
        ['dockerd + containerd + shims', mebibytes(peer.idleBytes), mebibytes(peer.perContainerBytes)],
        [
          'ratio',
          (peer.idleBytes / berth.idleBytes).toFixed(1),
          (peer.perContainerBytes / berth.perContainerBytes).toFixed(1),
        ],
      ]),
]);
