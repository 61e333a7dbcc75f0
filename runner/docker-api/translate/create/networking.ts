import type { ContainerConfig } from '../../../container/config.ts';
import { DEFAULT_NETWORK } from '../../../network/network-record.ts';
import { linksDocument } from './names.ts';

/** What a creation says of networks and ports as inspect tells it: what was asked for, else what is published. */
export function networkingDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  const asked = config.docker?.hostConfig['PortBindings'];
  return {
    NetworkMode: networkModeOf(config),
    PortBindings: typeof asked === 'object' && asked !== null ? asked : portBindings(config),
    Links: linksDocument(config),
  };
}

/** `bridge`, `none`, `host`, `container:ID`, or the network as the client called it. */
export function networkModeOf({ networkNamespace, docker }: ContainerConfig): string {
  if (networkNamespace.kind === 'container') return `container:${networkNamespace.id}`;
  const asked = docker?.hostConfig['NetworkMode'];
  return typeof asked !== 'string' || asked === '' || asked === 'default' ? DEFAULT_NETWORK : asked;
}

function portBindings(config: ContainerConfig): Readonly<Record<string, unknown>> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { containerPort, protocol, hostPort, hostAddress = '' } of config.ports) {
    const HostPort = hostPort === 0 ? '' : `${hostPort}`;
    (bindings[`${containerPort}/${protocol}`] ??= []).push({ HostIp: hostAddress, HostPort });
  }
  return bindings;
}
