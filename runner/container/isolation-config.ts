import { z } from 'zod';

const texts = z.array(z.string()).default([]);

/** A device of the host, or a directory of them, and what the container may do with it (`rwm`). */
const deviceMapping = z.object({ pathOnHost: z.string(), pathInContainer: z.string(), permissions: z.string() });

/** What a container is kept from, and let at: a part of its config. Defaults are Docker's. */
export const isolationShape = {
  readonlyRootfs: z.boolean().default(false),
  noNewPrivileges: z.boolean().default(false),
  /** All capabilities and devices of the host, no seccomp filter, nothing masked. */
  privileged: z.boolean().default(false),
  /** Capability names (`CAP_NET_ADMIN`) and `ALL`, upon the default ones. */
  capAdd: texts,
  capDrop: texts,
  /** `unconfined`, `builtin`, a profile in Docker's format as JSON; empty: `builtin`, `unconfined` when privileged. */
  seccomp: z.string().default(''),
  /** Empty where the kernel has no AppArmor. */
  apparmorProfile: z.string().default(''),
  /** Absent: Docker's. */
  maskedPaths: z.array(z.string()).optional(),
  readonlyPaths: z.array(z.string()).optional(),
  /** `private`, `shareable`, `none` (no /dev/shm), `host`, `container:ID`. */
  ipcMode: z.string().default('private'),
  /** Empty (its own), `host`, `container:ID`. */
  pidMode: z.string().default(''),
  /** Empty (its own) or `host`. */
  utsMode: z.string().default(''),
  cgroupnsMode: z.enum(['private', 'host']).default('private'),
  /** Empty (as the runner's `--userns-remap` says), `host`, or `private`: a user namespace of its own. */
  usernsMode: z.enum(['', 'host', 'private']).default(''),
  devices: z.array(deviceMapping).default([]),
  /** As `c 10:229 rwm`. */
  deviceCgroupRules: texts,
  sysctls: z.record(z.string(), z.string()).default({}),
  oomScoreAdj: z.int().min(-1000).max(1000).default(0),
  /** An init as first process, which reaps orphans; absent: as the runner's `--init` says. */
  init: z.boolean().optional(),
  /** Requests for devices that a driver hands out; there is none, so that a start with one fails. */
  deviceRequests: z.array(z.object({ driver: z.string(), capabilities: z.array(z.array(z.string())) })).default([]),
  runtime: z.string().default('berth'),
};

const isolationConfig = z.object(isolationShape);
export type IsolationConfig = z.infer<typeof isolationConfig>;

/** The container whose namespace a mode names; undefined when it names none. */
export function modeContainer(mode: string): string | undefined {
  return mode.startsWith('container:') ? mode.slice('container:'.length) : undefined;
}

/** Whether a mode shares a namespace, with the host or with a container. */
export function sharesNamespace(mode: string): boolean {
  return mode === 'host' || modeContainer(mode) !== undefined;
}
