import { z } from 'zod';
import { publishedPort } from '#shared/model/service.ts';

/** How a container is named beside its host name, and where it asks for the names of others. */
const namesShape = {
  domainname: z.string().default(''),
  /** Resolvers in place of the host's, as addresses. */
  dns: z.array(z.string()).default([]),
  /** In place of the host's search domains; `.` alone for none. */
  dnsSearch: z.array(z.string()).default([]),
  /** In place of the host's options (resolv.conf(5)). */
  dnsOptions: z.array(z.string()).default([]),
  /** `NAME:ADDRESS`; the address may be `host-gateway`. */
  extraHosts: z.array(z.string()).default([]),
  /** Other containers of the default bridge by names that only this one knows; `name` is what they were called then. */
  legacyLinks: z.array(z.object({ containerId: z.string(), name: z.string(), alias: z.string() })).default([]),
};

/** A container's names, networks and ports: a part of its config. */
export const networkShape = {
  hostname: z.string(),
  ...namesShape,
  ports: z.array(publishedPort),
  /** Containers with the same group share published ports, balanced; others collide. A service's id, or the container's. */
  publishGroup: z.string(),
};

const networkConfig = z.object(networkShape);
export type NetworkConfig = z.infer<typeof networkConfig>;
