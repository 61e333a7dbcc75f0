import type { BlockDevice, RuntimeResources } from '#shared/oci/runtime-spec.ts';
import type { ResourceConfig } from './resource-config.ts';

/** The numbers of the block devices that a config names, by their paths on the host. */
export type BlockDevices = ReadonlyMap<string, BlockDevice>;

/** Microseconds: over what a share of processor time is measured when nobody says. */
const defaultPeriodUs = 100_000;

/** The limits of a config that can be enforced with these controllers, as the OCI spec says them. */
export function resourceSpec(
  config: ResourceConfig,
  controllers: readonly string[],
  devices: BlockDevices = new Map(),
): RuntimeResources {
  const has = (name: string): boolean => controllers.includes(name);
  const memory = has('memory') ? memorySpec(config) : {};
  const cpu = { ...(has('cpu') ? cpuSpec(config) : {}), ...(has('cpuset') ? cpusetSpec(config) : {}) };
  const blockIO = has('io') ? blockSpec(config, devices) : {};
  const hugepages = has('hugetlb') ? config.hugepageLimits : [];
  const unified = Object.entries(config.unifiedLimits).filter(([file]) => has(file.split('.')[0] ?? ''));
  return {
    ...(isEmpty(memory) ? {} : { memory }),
    ...(isEmpty(cpu) ? {} : { cpu }),
    ...(config.pidsLimit && has('pids') ? { pids: { limit: config.pidsLimit } } : {}),
    ...(isEmpty(blockIO) ? {} : { blockIO }),
    ...(hugepages.length > 0 ? { hugepageLimits: hugepages } : {}),
    ...(unified.length > 0 ? { unified: Object.fromEntries(unified) } : {}),
  };
}

/** As with Docker, a memory limit without a swap limit allows as much swap again. */
function memorySpec(config: ResourceConfig): NonNullable<RuntimeResources['memory']> {
  const { memoryBytes: limit, memorySwapBytes: swap, memoryReservationBytes: reservation } = config;
  return {
    ...(limit > 0 ? { limit, swap: swap === 0 ? limit * 2 : swap } : {}),
    ...(reservation > 0 ? { reservation } : {}),
  };
}

function cpuSpec(config: ResourceConfig): NonNullable<RuntimeResources['cpu']> {
  const { cpuShares: shares, nanoCpus, cpuPeriodUs, cpuQuotaUs } = config;
  const part = nanoCpus > 0 ? { period: defaultPeriodUs, quota: Math.floor((nanoCpus * defaultPeriodUs) / 1e9) } : {};
  return {
    ...(shares > 0 ? { shares } : {}),
    ...part,
    ...(cpuPeriodUs > 0 ? { period: cpuPeriodUs } : {}),
    ...(cpuQuotaUs === 0 ? {} : { quota: cpuQuotaUs }),
  };
}

function cpusetSpec({ cpusetCpus, cpusetMems }: ResourceConfig): NonNullable<RuntimeResources['cpu']> {
  return { ...(cpusetCpus === '' ? {} : { cpus: cpusetCpus }), ...(cpusetMems === '' ? {} : { mems: cpusetMems }) };
}

function blockSpec(config: ResourceConfig, devices: BlockDevices): NonNullable<RuntimeResources['blockIO']> {
  const number = (path: string): BlockDevice[] => {
    const device = devices.get(path);
    return device === undefined ? [] : [device];
  };
  const rates = (list: ResourceConfig['blockReadBytesPerSecond']) =>
    list.flatMap(({ path, rate }) => number(path).map((device) => ({ ...device, rate })));
  const lists = {
    weightDevice: config.blockWeightDevices.flatMap(({ path, weight }) =>
      number(path).map((device) => ({ ...device, weight })),
    ),
    throttleReadBpsDevice: rates(config.blockReadBytesPerSecond),
    throttleWriteBpsDevice: rates(config.blockWriteBytesPerSecond),
    throttleReadIOPSDevice: rates(config.blockReadsPerSecond),
    throttleWriteIOPSDevice: rates(config.blockWritesPerSecond),
  };
  return {
    ...(config.blockWeight > 0 ? { weight: config.blockWeight } : {}),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
}

/** The paths of the block devices that a config names. */
export function blockDevicePaths(config: ResourceConfig): readonly string[] {
  const all = [
    ...config.blockWeightDevices,
    ...config.blockReadBytesPerSecond,
    ...config.blockWriteBytesPerSecond,
    ...config.blockReadsPerSecond,
    ...config.blockWritesPerSecond,
  ];
  return [...new Set(all.map(({ path }) => path))];
}

/** The controllers that a config's limits need and a host with these does not have. */
export function discardedLimits(config: ResourceConfig, controllers: readonly string[]): readonly string[] {
  const wanted = {
    memory: config.memoryBytes > 0 || config.memoryReservationBytes > 0,
    pids: Boolean(config.pidsLimit),
    cpu: !isEmpty(cpuSpec(config)),
    cpuset: config.cpusetCpus !== '' || config.cpusetMems !== '',
    io: config.blockWeight > 0 || blockDevicePaths(config).length > 0,
    hugetlb: config.hugepageLimits.length > 0,
  };
  return Object.entries(wanted)
    .filter(([controller, asked]) => asked && !controllers.includes(controller))
    .map(([controller]) => controller);
}

function isEmpty(part: object): boolean {
  return Object.keys(part).length === 0;
}
