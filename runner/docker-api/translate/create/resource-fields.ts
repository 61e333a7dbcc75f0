import { z } from 'zod';
import { noEffect, works, type FieldEffects } from './field-effect.ts';

const engine = 'test/engine/resources.test.ts';
const machine = 'test/vm/limits.test.ts';
const checks = 'runner/docker-api/translate/create/check-limits.test.ts';
const discarded = 'discarded with a warning where there is no such controller';
const windows = noEffect('only dockerd on Windows heeds it');

/** How much a container may use. */
export const resourceHostFields: FieldEffects = {
  CpuShares: works(`cgroup cpu.weight; ${discarded}`, machine),
  Memory: works(`cgroup memory.max; ${discarded}`, machine),
  CgroupParent: works('the cgroup of this path below the runner’s own subtree', engine),
  BlkioWeight: works(`cgroup io.weight or io.bfq.weight; ${discarded}`, checks),
  BlkioWeightDevice: works(`cgroup io.weight or io.bfq.weight; ${discarded}`, checks),
  BlkioDeviceReadBps: works(`cgroup io.max; ${discarded}`, checks),
  BlkioDeviceWriteBps: works(`cgroup io.max; ${discarded}`, machine),
  BlkioDeviceReadIOps: works(`cgroup io.max; ${discarded}`, checks),
  BlkioDeviceWriteIOps: works(`cgroup io.max; ${discarded}`, checks),
  CpuPeriod: works(`cgroup cpu.max; ${discarded}`, machine),
  CpuQuota: works(`cgroup cpu.max; ${discarded}`, machine),
  CpuRealtimePeriod: works('an error, as from dockerd: cgroup v2 has no real-time scheduling', checks),
  CpuRealtimeRuntime: works('an error, as from dockerd: cgroup v2 has no real-time scheduling', checks),
  CpusetCpus: works(`cgroup cpuset.cpus; ${discarded}`, machine),
  CpusetMems: works(`cgroup cpuset.mems; ${discarded}`, machine),
  KernelMemoryTCP: noEffect('cgroup v2 has no such limit'),
  MemoryReservation: works(`cgroup memory.low; ${discarded}`, machine),
  MemorySwap: works(`cgroup memory.swap.max; ${discarded}`, machine),
  MemorySwappiness: works('discarded with a warning: cgroup v2 has no such setting', checks),
  NanoCpus: works('cgroup cpu.max; an error where there is no cpu controller', machine),
  OomKillDisable: works('discarded with a warning: cgroup v2 has no such setting', checks),
  PidsLimit: works(`cgroup pids.max; ${discarded}`, machine),
  Ulimits: works('resource limits of the first process', engine),
  CpuCount: windows,
  CpuPercent: works('discarded with a warning: only dockerd on Windows heeds it', checks),
  IOMaximumIOps: works('an error, as from dockerd on Linux', checks),
  IOMaximumBandwidth: works('an error, as from dockerd on Linux', checks),
};

const rates = z.array(z.object({ Path: z.string(), Rate: z.int().min(0) })).nullish();
const number = z.int().nullish();

/** Resources of the Docker Engine API: what a creation and an update say. */
export const resourceHostShape = {
  CpuShares: number,
  Memory: number,
  CgroupParent: z.string().nullish(),
  BlkioWeight: z.int().min(0).max(65_535).nullish(),
  BlkioWeightDevice: z.array(z.object({ Path: z.string(), Weight: z.int().min(0).max(65_535) })).nullish(),
  BlkioDeviceReadBps: rates,
  BlkioDeviceWriteBps: rates,
  BlkioDeviceReadIOps: rates,
  BlkioDeviceWriteIOps: rates,
  CpuPeriod: number,
  CpuQuota: number,
  CpuRealtimePeriod: number,
  CpuRealtimeRuntime: number,
  CpusetCpus: z.string().nullish(),
  CpusetMems: z.string().nullish(),
  KernelMemory: number,
  MemoryReservation: number,
  MemorySwap: number,
  MemorySwappiness: number,
  NanoCpus: number,
  OomKillDisable: z.boolean().nullish(),
  PidsLimit: number,
  Ulimits: z.array(z.object({ Name: z.string(), Soft: z.int(), Hard: z.int() })).nullish(),
  CpuPercent: number,
  IOMaximumIOps: number,
  IOMaximumBandwidth: number,
};

const resourcesBody = z.object(resourceHostShape);
export type ResourcesBody = z.infer<typeof resourcesBody>;
