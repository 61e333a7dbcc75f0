import { z } from 'zod';

/** What is mounted in a container beside its root: a part of its config. */
export const mountShape = {
  /** Size of /dev/shm. */
  shmBytes: z
    .int()
    .min(0)
    .default(64 * 1024 * 1024),
};

const mountConfig = z.object(mountShape);
export type MountConfig = z.infer<typeof mountConfig>;
