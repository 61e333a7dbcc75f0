import { z } from 'zod';
import { refused, transcript, works, type FieldEffects } from './field-effect.ts';

const bridgeOnly = 'containers are on the bridge network in this version';
const hostResolvers = 'containers have the host’s resolvers in this version';

/** Names, networks and published ports. */
export const networkConfigFields: FieldEffects = {
  Hostname: works('UTS namespace, /etc/hostname, /etc/hosts', transcript),
  Domainname: refused('this version sets no domain name'),
  ExposedPorts: works('shown; published by PublishAllPorts', transcript),
  NetworkDisabled: refused(bridgeOnly, false),
  MacAddress: refused('the address follows from the IP address'),
};

export const networkHostFields: FieldEffects = {
  NetworkMode: refused(bridgeOnly, 'default', 'bridge'),
  PortBindings: works('nftables; on every address of the host', transcript),
  Dns: refused(hostResolvers),
  DnsOptions: refused(hostResolvers),
  DnsSearch: refused(hostResolvers),
  ExtraHosts: refused('/etc/hosts has the container’s own names in this version'),
  Links: refused('links are not supported; names come with networks'),
  PublishAllPorts: works('each exposed port gets a free port of the host', transcript),
};

const portBinding = z.object({ HostIp: z.string().nullish(), HostPort: z.string().nullish() });

export const networkConfigShape = {
  Hostname: z.string().nullish(),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
};

export const networkHostShape = {
  PortBindings: z.record(z.string(), z.array(portBinding).nullable()).nullish(),
  PublishAllPorts: z.boolean().nullish(),
};
