import { z } from 'zod';
import { publishedPort } from '#shared/model/service.ts';

/** A container's names, networks and ports: a part of its config. */
export const networkShape = {
  hostname: z.string(),
  ports: z.array(publishedPort),
  /** Containers with the same group share published ports, balanced; others collide. A service's id, or the container's. */
  publishGroup: z.string(),
};

const networkConfig = z.object(networkShape);
export type NetworkConfig = z.infer<typeof networkConfig>;
