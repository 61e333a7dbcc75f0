import { z } from 'zod';

const blockWeight = z.object({ path: z.string(), weight: z.int().min(0).max(1000) });
const blockRate = z.object({ path: z.string(), rate: z.int().min(0) });

/** The launcher removes cgroups to a depth of 16; a container may make some of its own. */
const maxParents = 6;

/** Names of directories below the runner's subtree: none that is a container's (64 hex digits), the shims', or hidden. */
const cgroupParent = z
  .string()
  .max(512)
  .refine(
    (path) =>
      path === '' ||
      path
        .split('/')
        .every(
          (name) => /^[a-zA-Z0-9_][a-zA-Z0-9_.:@-]{0,127}$/.test(name) && name !== 'shims' && !isContainerId(name),
        ),
    { error: 'not the names of cgroups, with slashes between them' },
  )
  .refine((path) => path.split('/').length <= maxParents, { error: `more than ${maxParents} levels` });

function isContainerId(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}

/** How much a container may use: a part of its config. 0, and an empty text or list, is no limit. */
export const resourceShape = {
  memoryBytes: z.int().min(0).default(0),
  /** Memory and swap together; -1: swap without a limit, 0: as much swap again as memory. */
  memorySwapBytes: z.int().min(-1).default(0),
  /** What is left to it when the host, or the cgroup parent, is short of memory. */
  memoryReservationBytes: z.int().min(0).default(0),
  /** Absent: nobody ever said one, which `docker inspect` tells apart from one that was lifted. */
  pidsLimit: z.int().min(0).optional(),
  /** 2 to 262144 against the others' 1024. */
  cpuShares: z.int().min(0).default(0),
  /** Billionths of a processor; instead of period and quota. */
  nanoCpus: z.int().min(0).default(0),
  cpuPeriodUs: z.int().min(0).default(0),
  /** -1: no limit. */
  cpuQuotaUs: z.int().min(-1).default(0),
  /** `0-2,4` (cpuset(7), "List format"). */
  cpusetCpus: z.string().default(''),
  cpusetMems: z.string().default(''),
  /** 10 to 1000. */
  blockWeight: z.int().min(0).max(1000).default(0),
  blockWeightDevices: z.array(blockWeight).default([]),
  blockReadBytesPerSecond: z.array(blockRate).default([]),
  blockWriteBytesPerSecond: z.array(blockRate).default([]),
  blockReadsPerSecond: z.array(blockRate).default([]),
  blockWritesPerSecond: z.array(blockRate).default([]),
  /** Page size as the kernel names it (`2MB`), and bytes. */
  hugepageLimits: z.array(z.object({ pageSize: z.string().regex(/^\d+[KMG]B$/), limit: z.int().min(0) })).default([]),
  /** cgroup v2 files written as they are, after all others. */
  unifiedLimits: z.record(z.string().regex(/^[a-z]+\.[a-zA-Z0-9_.]+$/), z.string()).default({}),
  /** The cgroup that this one is made in, as its path below the runner's subtree (`batch/night`). */
  cgroupParent: cgroupParent.default(''),
  rlimits: z.array(z.object({ type: z.string(), soft: z.int(), hard: z.int() })).default([]),
};

const resourceConfig = z.object(resourceShape);
export type ResourceConfig = z.infer<typeof resourceConfig>;

/** The parts that can be changed while a container runs. */
export type ResourceChange = Partial<Omit<ResourceConfig, 'cgroupParent' | 'rlimits'>>;
