import { z } from 'zod';
import { noEffect, works, type FieldEffects } from './field-effect.ts';

const engine = 'test/engine/resources.test.ts';
const limits = 'test/vm/limits.test.ts';
const memory = 'test/vm/memory.test.ts';
const processor = 'test/vm/processor.test.ts';
const disk = 'test/vm/disk.test.ts';
const checks = 'runner/docker-api/translate/create/check-limits.test.ts';
const discarded = 'discarded with a warning where there is no such controller';
const windows = noEffect('only dockerd on Windows heeds it');

/** How much a container may use. */
export const resourceHostFields: FieldEffects = {
  CpuShares: works(`cgroup cpu.weight; ${discarded}`, processor),
  Memory: works(`cgroup memory.max; ${discarded}`, memory),
  CgroupParent: works('the cgroup of this path below the runner’s own subtree', engine),
  BlkioWeight: works(`cgroup io.weight and io.bfq.weight; ${discarded}`, disk),
  BlkioWeightDevice: works(`cgroup io.bfq.weight, io.weight on a kernel without BFQ; ${discarded}`, disk),
  BlkioDeviceReadBps: works(`cgroup io.max; ${discarded}`, disk),
  BlkioDeviceWriteBps: works(`cgroup io.max; ${discarded}`, disk),
  BlkioDeviceReadIOps: works(`cgroup io.max; ${discarded}`, disk),
  BlkioDeviceWriteIOps: works(`cgroup io.max; ${discarded}`, disk),
  CpuPeriod: works(`cgroup cpu.max; ${discarded}`, processor),
  CpuQuota: works(`cgroup cpu.max; ${discarded}`, processor),
  CpuRealtimePeriod: works('an error, as from dockerd: cgroup v2 has no real-time scheduling', checks),
  CpuRealtimeRuntime: works('an error, as from dockerd: cgroup v2 has no real-time scheduling', checks),
  CpusetCpus: works(`cgroup cpuset.cpus; ${discarded}`, processor),
  CpusetMems: works(`cgroup cpuset.mems; ${discarded}`, processor),
  KernelMemoryTCP: noEffect('cgroup v2 has no such limit'),
  MemoryReservation: works(`cgroup memory.low, and that of the cgroups above; ${discarded}`, memory),
  MemorySwap: works(`cgroup memory.swap.max; ${discarded}`, memory),
  MemorySwappiness: works('discarded with a warning: cgroup v2 has no such setting', checks),
  NanoCpus: works('cgroup cpu.max; an error where there is no cpu controller', processor),
  OomKillDisable: works('discarded with a warning: cgroup v2 has no such setting', checks),
  PidsLimit: works(`cgroup pids.max; ${discarded}`, limits),
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
