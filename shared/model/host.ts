import { z } from 'zod';

/** What a runner tells of its machine at each connect. */
export const hostFacts = z.object({
  hostname: z.string().max(255),
  os: z.string().max(255),
  kernel: z.string().max(255),
  architecture: z.enum(['amd64', 'arm64']),
  cpus: z.int().min(1),
  memoryBytes: z.int().min(0),
  /** cgroup v2 controllers that are in force here; an absent one means that its limits cannot be enforced. */
  controllers: z.array(z.string().max(64)).max(32),
  runnerVersion: z.string().max(64),
});
export type HostFacts = z.infer<typeof hostFacts>;

/** An image that a host holds. */
export const hostImage = z.object({
  /** The image ID: digest of its config. */
  id: z.string(),
  /** Canonical references (`docker.io/library/hello:1`). */
  references: z.array(z.string()),
  sizeBytes: z.int().min(0),
  createdAtMs: z.int(),
});
export type HostImage = z.infer<typeof hostImage>;

/** `ready`: connected and schedulable; `away`: disconnected, lease not yet ended; `down`: lease ended. */
export const hostState = z.enum(['joined', 'ready', 'away', 'down']);
export type HostState = z.infer<typeof hostState>;
