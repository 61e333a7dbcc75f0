import { BerthError } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import type { HostConfigBody } from '../create-request.ts';

/** A port to publish; without `hostPort` any free one. */
export interface WantedPort {
  readonly protocol: PublishedPort['protocol'];
  readonly containerPort: number;
  readonly hostPort: number | undefined;
}

/**
 * The ports that a container publishes.
 *
 * @param exposed `80/tcp` …, for PublishAllPorts
 * @throws BerthError `docker.port-invalid`, `docker.field-unsupported`
 */
export function wantedPorts(hostConfig: HostConfigBody, exposed: readonly string[]): readonly WantedPort[] {
  const wanted: WantedPort[] = [];
  for (const [text, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    const port = parsePort(text);
    const each = bindings === null || bindings.length === 0 ? [{}] : bindings;
    for (const { HostIp, HostPort } of each) wanted.push({ ...port, hostPort: hostPortOf(text, HostIp, HostPort) });
  }
  if (hostConfig.PublishAllPorts === true) {
    for (const port of exposed.map(parsePort)) {
      const bound = wanted.some((one) => one.containerPort === port.containerPort && one.protocol === port.protocol);
      if (!bound) wanted.push({ ...port, hostPort: undefined });
    }
  }
  return wanted;
}

function parsePort(text: string): Pick<WantedPort, 'protocol' | 'containerPort'> {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text);
  const containerPort = Number(match?.[1] ?? 0);
  const protocol = match?.[2] ?? 'tcp';
  if (match === null || containerPort < 1 || containerPort > 65_535) throw invalidPort(text);
  if (protocol === 'sctp') throw unsupported(`HostConfig.PortBindings: ${text} is not supported: tcp and udp are`);
  return { containerPort, protocol: protocol === 'udp' ? 'udp' : 'tcp' };
}

function hostPortOf(of: string, ip: string | null | undefined, port: string | null | undefined): number | undefined {
  if (ip !== undefined && ip !== null && !['', '0.0.0.0', '::'].includes(ip)) {
    const text = `HostConfig.PortBindings: ${of} at the address ${ip} is not supported`;
    throw unsupported(`${text}: ports are published on every address in this version`);
  }
  if (port === undefined || port === null || port === '' || port === '0') return undefined;
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw invalidPort(port);
  return Number(port);
}

function invalidPort(text: string): BerthError {
  return new BerthError('invalid', 'docker.port-invalid', `invalid port specification: "${text.slice(0, 40)}"`);
}

function unsupported(text: string): BerthError {
  return new BerthError('unsupported', 'docker.field-unsupported', text);
}
