import { z } from 'zod';
import { publishedPort } from '#shared/model/service.ts';

const texts = z.array(z.string());

/** A port that is published: at any free port of the host where `hostPort` is 0, at one of a range up to `lastHostPort`. */
const portRequest = publishedPort.extend({
  hostPort: z.int().min(0).max(65_535),
  lastHostPort: z.int().min(1).max(65_535).optional(),
  /** The one IPv4 address of the host; absent: every one. */
  hostAddress: z.string().optional(),
});

/** A container's place on one network. */
export const endpointConfig = z.object({
  /** The network's id; the default network's name. */
  network: z.string(),
  /** Names that it has there beside its own. */
  aliases: texts.default([]),
  /** `CONTAINER:NAME`: another container, by a name that only this one knows it by. */
  links: texts.default([]),
  ipv4Address: z.string().optional(),
  macAddress: z.string().optional(),
  driverOptions: z.record(z.string(), z.string()).optional(),
  /** The default route is by the endpoint with the highest. */
  gatewayPriority: z.int().default(0),
});
export type EndpointConfig = z.infer<typeof endpointConfig>;
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
  ports: z.array(portRequest),
  /** Containers with the same group share published ports, balanced; others collide. A service's id, or the container's. */
  publishGroup: z.string(),
  /** `own`: a namespace with the endpoints' links. `container`: that of another one, by its id. */
  networkNamespace: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('own') }),
      z.object({ kind: z.literal('host') }),
      z.object({ kind: z.literal('container'), id: z.string() }),
    ])
    .default({ kind: 'own' }),
  /** The networks that it is on while it runs. */
  endpoints: z.array(endpointConfig).default([{ network: 'bridge', aliases: [], links: [], gatewayPriority: 0 }]),
};

const networkConfig = z.object(networkShape);
export type NetworkConfig = z.infer<typeof networkConfig>;
