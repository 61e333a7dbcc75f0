import { BerthError } from '#shared/errors.ts';
import type { ConfigBody, HostConfigBody } from '../create-request.ts';

/** Combinations of networks that exclude each other (moby runconfig and daemon/container_operations.go). */
const texts = {
  'shared-network':
    'container sharing network namespace with another container or host cannot be connected to any other network',
  'host-network': 'container cannot be disconnected from host network or connected to host network',
  'not-host-mode': 'cannot connect container to host network - container must be created in host network mode',
  'none-network': 'container cannot be connected to multiple networks with one of the networks in private (none) mode',
} as const;

export function networkConflict(which: keyof typeof texts): BerthError {
  return new BerthError('invalid', 'docker.network-conflict', texts[which]);
}

/**
 * Refuses what a shared network namespace cannot have, beside names (`namesOf`).
 *
 * @throws BerthError `docker.network-conflict` with dockerd's texts
 */
export function checkNetworkConflicts(config: ConfigBody, host: HostConfigBody): void {
  const mode = host.NetworkMode ?? '';
  if (mode !== 'container' && !mode.startsWith('container:')) return;
  if (mode.slice('container:'.length) === '') {
    throw conflict('Invalid network mode: invalid container format container:<name|id>');
  }
  const excluded: readonly (readonly [unknown, string])[] = [
    [config.Hostname, 'hostname and the network mode'],
    [config.MacAddress, 'mac-address and the network mode'],
    [host.PortBindings, 'port publishing and the container type network mode'],
    [host.PublishAllPorts, 'port publishing and the container type network mode'],
    [config.ExposedPorts, 'port exposing and the container type network mode'],
  ];
  for (const [value, text] of excluded) if (isGiven(value)) throw conflict(`conflicting options: ${text}`);
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

function conflict(text: string): BerthError {
  return new BerthError('invalid', 'docker.network-conflict', text);
}
