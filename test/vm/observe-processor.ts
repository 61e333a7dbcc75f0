import { altogether, growth, type GuestContainer } from './guest-containers.ts';
import { MEBIBYTE, probe, withProbe, type GuestHost } from './guest-host.ts';

export interface ProcessorReport {
  /** Shares of one processor: with a limit of a fifth, then of three fifths; nr_throttled in between. */
  readonly quota: { readonly before: number; readonly throttled: number; readonly after: number };
  /** How much more of the one processor the first of two got: with eight times the shares, and when they were exchanged. */
  readonly shares: { readonly before: number; readonly after: number };
  /** Microseconds in which a process of theirs waited for the processor, as the statistics say. */
  readonly pressure: unknown;
  /** Where the process may run: before and after an update. */
  readonly cpuset: { readonly before: string; readonly after: string };
  /** Where the process may have memory, and the bytes that it has on each node: before and after an update. */
  readonly nodes: { readonly before: Nodes; readonly after: Nodes };
  /** Error codes for a memory node that is not there: at the start, and as an update. */
  readonly noNode: readonly string[];
}

interface Nodes {
  readonly allowed: string;
  readonly bytes: readonly number[];
}

const spin = 'while :; do :; done';

export async function observeProcessor(host: GuestHost): Promise<ProcessorReport> {
  return { quota: await quota(host), ...(await shares(host)), ...(await cpuset(host)), ...(await nodes(host)) };
}

async function quota(host: GuestHost): Promise<ProcessorReport['quota']> {
  const container = await host.start(spin, { nanoCpus: 200_000_000 });
  const before = await container.cpuShare(3000);
  const throttled = await container.count('cpu.stat', 'nr_throttled');
  await host.update(container, { nanoCpus: 600_000_000 });
  const after = await container.cpuShare(3000);
  await container.end('SIGKILL');
  return { before, throttled, after };
}

async function shares(host: GuestHost): Promise<Pick<ProcessorReport, 'shares' | 'pressure'>> {
  const [many, few] = [{ cpuShares: 2048 }, { cpuShares: 256 }];
  const first = await host.start(spin, { cpusetCpus: '1', ...many });
  const second = await host.start(spin, { cpusetCpus: '1', ...few });
  const ratio = async (): Promise<number> => {
    const used = [first, second].map((one) => () => one.count('cpu.stat', 'usage_usec'));
    const [one = NaN, two = NaN] = await growth(used, altogether(3_000_000));
    return one / two;
  };
  const before = await ratio();
  await host.update(first, few);
  await host.update(second, many);
  const after = await ratio();
  const { pressure_stats: pressure } = await host.engine.call('statistics', second.id);
  for (const container of [first, second]) await container.end('SIGKILL');
  return { shares: { before, after }, pressure };
}

async function cpuset(host: GuestHost): Promise<Pick<ProcessorReport, 'cpuset'>> {
  const container = await host.start('sleep 600', { cpusetCpus: '0' });
  const before = await container.status('Cpus_allowed_list');
  await host.update(container, { cpusetCpus: '1' });
  const after = await container.status('Cpus_allowed_list');
  await container.end('SIGKILL');
  return { cpuset: { before, after } };
}

async function nodes(host: GuestHost): Promise<Pick<ProcessorReport, 'nodes' | 'noNode'>> {
  const container = await host.start(`exec ${probe} hold 8`, { ...withProbe, cpusetMems: '1' });
  await container.says('held');
  const before = await nodesOf(container);
  await host.update(container, { cpusetMems: '0' });
  const after = await nodesOf(container);
  const refused = await host.refusal(host.update(container, { cpusetMems: '7' }));
  await container.end('SIGKILL');
  const never = await host.refusal(host.start('true', { cpusetMems: '7' }));
  return { nodes: { before, after }, noNode: [never, refused] };
}

async function nodesOf(container: GuestContainer): Promise<Nodes> {
  const bytes = (node: string): Promise<number> => container.count('memory.numa_stat', node, 'anon ');
  return {
    allowed: await container.status('Mems_allowed_list'),
    bytes: (await Promise.all([bytes('N0'), bytes('N1')])).map((all) => Math.floor(all / MEBIBYTE)),
  };
}
