import { createReadStream } from 'node:fs';
import { startBerthEngine, type BerthEngine } from './berth-engine.ts';
import { startDockerd, type Dockerd } from './peer-dockerd.ts';
import { median, printTable, quantile } from './statistics.ts';

/**
 * Create + start + wait + remove of `true` by API: ours through the engine's interface over a pipe (the same calls that
 * the reconciler makes), dockerd's through its socket. One at a time, then 100 containers, 8 at a time.
 */
const SEQUENTIAL = 30;
const BURST = 100;
const AT_ONCE = 8;

interface Figures {
  readonly each: readonly number[];
  readonly perSecond: number;
}

async function measure(once: (name: string) => Promise<void>): Promise<Figures> {
  await once('warm-up');
  const each: number[] = [];
  for (let n = 0; n < SEQUENTIAL; n += 1) {
    const from = performance.now();
    await once(`one-${n}`);
    each.push(performance.now() - from);
  }
  let next = 0;
  const from = performance.now();
  const worker = async (): Promise<void> => {
    while (next < BURST) {
      next += 1;
      await once(`burst-${next}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return { each, perSecond: (BURST * 1000) / (performance.now() - from) };
}

async function runOurs(berth: BerthEngine, name: string): Promise<void> {
  const id = await berth.start(name, ['/bin/true']);
  await berth.engine.call('wait', id);
  await berth.engine.call('remove', id);
}

async function runDockerd(dockerd: Dockerd, name: string): Promise<void> {
  const created = await dockerd.call('POST', `/containers/create?name=${name}`, {
    Image: 'busybox:1',
    Cmd: ['/bin/true'],
  });
  const { Id } = JSON.parse(created) as { Id: string };
  await dockerd.call('POST', `/containers/${Id}/start`);
  await dockerd.call('POST', `/containers/${Id}/wait`);
  await dockerd.call('DELETE', `/containers/${Id}`);
}

function row(name: string, { each, perSecond }: Figures, ours: Figures): string[] {
  const ratio = (value: number): string => `${value.toFixed(1)}x`;
  return [
    name,
    median(each).toFixed(1),
    quantile(each, 0.99).toFixed(1),
    perSecond.toFixed(1),
    ratio(median(each) / median(ours.each)),
    ratio(ours.perSecond / perSecond),
  ];
}

await using ours = await startBerthEngine();
const berth = await measure((name) => runOurs(ours, name));
const rows = [
  ['engine', 'median ms', 'p99 ms', `${BURST} at ${AT_ONCE}: per s`, 'berth faster, one', 'berth faster, burst'],
  row('berth', berth, berth),
];
await using dockerd = await startDockerd();
if (dockerd === undefined) console.log('dockerd is not installed: no peer');
else {
  const peer = dockerd;
  await peer.call('POST', '/images/create?fromSrc=-&repo=busybox&tag=1', createReadStream(ours.archive));
  rows.push(row('dockerd', await measure((name) => runDockerd(peer, name)), berth));
}
console.log('\ncreate + start + wait + remove of `true`');
printTable(rows);
