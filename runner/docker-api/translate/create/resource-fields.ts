import { z } from 'zod';
import { noEffect, refused, transcript, works, type FieldEffects } from './field-effect.ts';

const noCpu = 'this version sets no cpu limits';
const noBlkio = 'this version sets no block I/O limits';
const windows = noEffect('only dockerd on Windows heeds it');

/** How much a container may use. */
export const resourceHostFields: FieldEffects = {
  CpuShares: refused(noCpu),
  Memory: works('cgroup memory.max; discarded with a warning where there is no memory controller', transcript),
  CgroupParent: refused('containers are in the runner’s own cgroup'),
  BlkioWeight: refused(noBlkio),
  BlkioWeightDevice: refused(noBlkio),
  BlkioDeviceReadBps: refused(noBlkio),
  BlkioDeviceWriteBps: refused(noBlkio),
  BlkioDeviceReadIOps: refused(noBlkio),
  BlkioDeviceWriteIOps: refused(noBlkio),
  CpuPeriod: refused(noCpu),
  CpuQuota: refused(noCpu),
  CpuRealtimePeriod: refused(noCpu),
  CpuRealtimeRuntime: refused(noCpu),
  CpusetCpus: refused(noCpu),
  CpusetMems: refused(noCpu),
  KernelMemoryTCP: noEffect('cgroup v2 has no such limit'),
  MemoryReservation: refused('this version sets memory.max alone'),
  MemorySwap: refused('swap is allowed as much as memory in this version'),
  MemorySwappiness: refused('cgroup v2 has no such setting', -1),
  NanoCpus: refused(noCpu),
  OomKillDisable: refused('cgroup v2 has no such setting', false),
  PidsLimit: works('cgroup pids.max; discarded with a warning where there is no pids controller', transcript),
  Ulimits: works('resource limits of the first process', transcript),
  CpuCount: windows,
  CpuPercent: windows,
  IOMaximumIOps: windows,
  IOMaximumBandwidth: windows,
};

export const resourceHostShape = {
  Memory: z.int().min(0).nullish(),
  PidsLimit: z.int().nullish(),
  Ulimits: z.array(z.object({ Name: z.string(), Soft: z.int(), Hard: z.int() })).nullish(),
};
