import type { ContainerConfig } from '../../../container/config.ts';
import type { NetworkConfig } from '../../../container/network-config.ts';
import type { ConfigBody } from '../create-request.ts';
import { linksDocument } from './names.ts';

/** What a creation says of names and networks; ports, which may have to be found first, are the caller's. */
export function networkingOf(config: ConfigBody): Partial<NetworkConfig> {
  return config.Hostname ? { hostname: config.Hostname } : {};
}

/** The same as inspect tells it. */
export function networkingDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  return { NetworkMode: 'bridge', PortBindings: portBindings(config), Links: linksDocument(config) };
}

function portBindings(config: ContainerConfig): Readonly<Record<string, unknown>> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { containerPort, protocol, hostPort } of config.ports) {
    (bindings[`${containerPort}/${protocol}`] ??= []).push({ HostIp: '', HostPort: `${hostPort}` });
  }
  return bindings;
}
