/**
 * What runs inside the virtual machine, once for all tests of its lane: a real engine with real limits. It observes and
 * writes what it saw to the exchange directory; the tests outside judge.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { writeBusyboxArchive } from '../engine/busybox-image.ts';
import { RemoteEngine } from '../engine/remote-engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';

export interface Observed {
  /** Files of the container's cgroup while it ran. */
  readonly limits: Readonly<Record<string, string>>;
  readonly record: ContainerRecord;
  readonly log: string;
}
export interface GuestReport {
  readonly controllers: readonly string[];
  readonly overMemory: Observed;
  readonly underMemory: Observed;
  readonly killed: Observed;
  readonly overPids: Observed;
}

const MEBIBYTE = 2 ** 20;
await using host = await NetworkNamespace.create();
const archive = '/run/busybox.tar';
await writeBusyboxArchive(archive);
await using engine = await RemoteEngine.start(host.name, '/run/data');
const imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
const place = await engine.call('place');

async function observe(
  name: string,
  script: string,
  options: Record<string, unknown>,
  kill = false,
): Promise<Observed> {
  const { id } = await engine.call('create', {
    ...{ name, image: 'busybox:1', imageId, args: ['/bin/sh', '-c', script], environment: [], workingDirectory: '' },
    ...{ user: '', hostname: '', labels: {}, restart: { kind: 'no' }, ports: [], publishGroup: name, ...options },
  });
  await engine.call('start', id);
  const files = ['memory.max', 'memory.swap.max', 'pids.max'];
  const read = (file: string): Promise<string> => readFile(join(place.cgroup, id, file), 'utf8').catch(() => 'gone');
  const limits = Object.fromEntries(await Promise.all(files.map(async (file) => [file, (await read(file)).trim()])));
  if (kill) await engine.call('kill', id, 'SIGKILL');
  await engine.call('wait', id);
  const record = await engine.call('find', id);
  if (record === undefined) throw new Error(`container ${name} is not there after its end`);
  const log = (await engine.call('logs', id, { follow: false })).map((entry) => entry.text).join('');
  await engine.call('remove', id);
  return { limits, record, log };
}

const memory = { memoryBytes: 32 * MEBIBYTE };
const report: GuestReport = {
  controllers: (await readFile(join(place.cgroup, 'cgroup.controllers'), 'utf8')).trim().split(' '),
  // tail keeps what it reads of an endless line. The sleep lets the limits be read first.
  overMemory: await observe('over-memory', 'sleep 2; busybox tail /dev/zero; echo survived', memory),
  underMemory: await observe('under-memory', 'sleep 2; echo fine', memory),
  killed: await observe('killed', 'sleep 600', memory, true),
  overPids: await observe(
    'over-pids',
    'sleep 2; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo not reached',
    { pidsLimit: 8 },
  ),
};
await engine.call('clear');
await writeFile('/exchange/report.json', JSON.stringify(report));
