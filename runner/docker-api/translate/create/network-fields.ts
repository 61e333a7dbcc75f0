import { z } from 'zod';
import { transcript, works, type FieldEffects } from './field-effect.ts';

const networksTest = 'test/engine/networks.test.ts';
const namesTest = 'test/network/container-names.test.ts';

/** Names, networks and published ports. */
export const networkConfigFields: FieldEffects = {
  Hostname: works('UTS namespace, /etc/hostname, /etc/hosts', transcript),
  Domainname: works('UTS namespace, /etc/hosts', namesTest),
  ExposedPorts: works('shown; published by PublishAllPorts', transcript),
  NetworkDisabled: works('no link but loopback', networksTest),
  MacAddress: works('the link on the network of NetworkMode', networksTest),
};

export const networkHostFields: FieldEffects = {
  NetworkMode: works('links and network namespace; NetworkingConfig says more', networksTest),
  PortBindings: works('nftables; on every address of the host or on one', networksTest),
  Dns: works('/etc/resolv.conf; on a user-defined network, whom its resolver asks', namesTest),
  DnsOptions: works('/etc/resolv.conf', namesTest),
  DnsSearch: works('/etc/resolv.conf', namesTest),
  ExtraHosts: works('/etc/hosts', namesTest),
  Links: works(
    '/etc/hosts and variables of the environment on the default bridge; names on a user-defined network',
    namesTest,
  ),
  PublishAllPorts: works('each exposed port gets a free port of the host', transcript),
};

const portBinding = z.object({ HostIp: z.string().nullish(), HostPort: z.string().nullish() });

export const networkConfigShape = {
  Hostname: z.string().nullish(),
  Domainname: z.string().nullish(),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
  NetworkDisabled: z.boolean().nullish(),
  MacAddress: z.string().nullish(),
};

const texts = z.array(z.string()).nullish();

export const networkHostShape = {
  NetworkMode: z.string().nullish(),
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  Links: texts,
  PortBindings: z.record(z.string(), z.array(portBinding).nullable()).nullish(),
  PublishAllPorts: z.boolean().nullish(),
};
