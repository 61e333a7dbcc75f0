import { BerthError } from '#shared/errors.ts';
import type { ContainerConfig } from '../../../container/config.ts';
import { resourceShape, type ResourceChange, type ResourceConfig } from '../../../container/resource-config.ts';
import type { ResourcesBody } from './resource-fields.ts';

/**
 * What a checked creation says of limits.
 *
 * @throws BerthError `docker.cgroup-parent`
 */
export function resourcesOf(host: ResourcesBody): Partial<ResourceConfig> {
  const memory = host.Memory ?? 0;
  return {
    ...limitsOf(host),
    ...(host.PidsLimit != null && host.PidsLimit > 0 ? { pidsLimit: host.PidsLimit } : {}),
    // dockerd's default: as much swap again.
    memorySwapBytes: host.MemorySwap ? Math.max(-1, host.MemorySwap) : memory * 2,
    blockWeightDevices: (host.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({ path: Path, weight: Weight })),
    blockReadBytesPerSecond: rates(host.BlkioDeviceReadBps),
    blockWriteBytesPerSecond: rates(host.BlkioDeviceWriteBps),
    blockReadsPerSecond: rates(host.BlkioDeviceReadIOps),
    blockWritesPerSecond: rates(host.BlkioDeviceWriteIOps),
    cgroupParent: cgroupParentOf(host.CgroupParent ?? ''),
    rlimits: (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ type: Name, soft: Soft, hard: Hard })),
  };
}

/** What a checked update changes: a number that is 0 or absent, and an empty text, change nothing. */
export function changesOf(body: ResourcesBody): ResourceChange {
  const given = Object.entries(limitsOf(body)).filter(([, value]) => value !== 0 && value !== '');
  return {
    ...Object.fromEntries(given),
    ...(body.MemorySwap ? { memorySwapBytes: Math.max(-1, body.MemorySwap) } : {}),
    // Unlike the others, it can be lifted.
    ...(body.PidsLimit == null ? {} : { pidsLimit: Math.max(0, body.PidsLimit) }),
  };
}

function limitsOf(body: ResourcesBody) {
  return {
    memoryBytes: body.Memory ?? 0,
    memoryReservationBytes: body.MemoryReservation ?? 0,
    cpuShares: body.CpuShares ?? 0,
    nanoCpus: body.NanoCpus ?? 0,
    cpuPeriodUs: body.CpuPeriod ?? 0,
    cpuQuotaUs: Math.max(-1, body.CpuQuota ?? 0),
    cpusetCpus: body.CpusetCpus ?? '',
    cpusetMems: body.CpusetMems ?? '',
    blockWeight: body.BlkioWeight ?? 0,
  };
}

function rates(list: ResourcesBody['BlkioDeviceReadBps']): ResourceConfig['blockReadBytesPerSecond'] {
  return (list ?? []).map(({ Path, Rate }) => ({ path: Path, rate: Rate }));
}

/** `/batch/night` and `batch/night` are the same place: below the runner's subtree, out of which nothing leads. */
function cgroupParentOf(path: string): string {
  const parsed = resourceShape.cgroupParent.safeParse(path.replace(/^\/+|\/+$/g, ''));
  if (parsed.success) return parsed.data;
  const why = parsed.error.issues[0]?.message ?? 'wrong';
  throw new BerthError('invalid', 'docker.cgroup-parent', `invalid cgroup parent "${path.slice(0, 120)}": ${why}`);
}

const paths = (list: ResourceConfig['blockReadBytesPerSecond']) =>
  list.map(({ path, rate }) => ({ Path: path, Rate: rate }));

/** The same as inspect tells it. */
export function resourcesDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  const { memoryBytes, memorySwapBytes } = config;
  return {
    Memory: memoryBytes,
    MemorySwap: memorySwapBytes === 0 ? memoryBytes * 2 : memorySwapBytes,
    MemoryReservation: config.memoryReservationBytes,
    PidsLimit: config.pidsLimit ?? null,
    CpuShares: config.cpuShares,
    NanoCpus: config.nanoCpus,
    CpuPeriod: config.cpuPeriodUs,
    CpuQuota: config.cpuQuotaUs,
    CpusetCpus: config.cpusetCpus,
    CpusetMems: config.cpusetMems,
    BlkioWeight: config.blockWeight,
    BlkioWeightDevice: config.blockWeightDevices.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    BlkioDeviceReadBps: paths(config.blockReadBytesPerSecond),
    BlkioDeviceWriteBps: paths(config.blockWriteBytesPerSecond),
    BlkioDeviceReadIOps: paths(config.blockReadsPerSecond),
    BlkioDeviceWriteIOps: paths(config.blockWritesPerSecond),
  };
}
