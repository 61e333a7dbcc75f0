import { z } from 'zod';
import { refused, transcript, works, type FieldEffects } from './field-effect.ts';

const networksTest = 'test/engine/networks.test.ts';
const hostResolvers = 'containers have the host’s resolvers in this version';

/** Names, networks and published ports. */
export const networkConfigFields: FieldEffects = {
  Hostname: works('UTS namespace, /etc/hostname, /etc/hosts', transcript),
  Domainname: refused('this version sets no domain name'),
  ExposedPorts: works('shown; published by PublishAllPorts', transcript),
  NetworkDisabled: works('no link but loopback', networksTest),
  MacAddress: works('the link on the network of NetworkMode', networksTest),
};

export const networkHostFields: FieldEffects = {
  NetworkMode: works('links and network namespace; NetworkingConfig says more', networksTest),
  PortBindings: works('nftables; on every address of the host or on one', networksTest),
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
  NetworkDisabled: z.boolean().nullish(),
  MacAddress: z.string().nullish(),
};

export const networkHostShape = {
  NetworkMode: z.string().nullish(),
  Links: z.array(z.string()).nullish(),
  PortBindings: z.record(z.string(), z.array(portBinding).nullable()).nullish(),
  PublishAllPorts: z.boolean().nullish(),
};
