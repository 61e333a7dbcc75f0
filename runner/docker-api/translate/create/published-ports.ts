import { BerthError } from '#shared/errors.ts';
import type { PortRequest } from '../../../network/network.ts';
import { parseIpv4 } from '../../../network/ipv4.ts';
import type { HostConfigBody } from '../create-request.ts';

type ContainerPort = Pick<PortRequest, 'protocol' | 'containerPort'>;

/**
 * The ports that a container publishes.
 *
 * @param exposed `80/tcp` …, for PublishAllPorts
 * @throws BerthError `docker.port-invalid`, `docker.field-unsupported`
 */
export function wantedPorts(hostConfig: HostConfigBody, exposed: readonly string[]): readonly PortRequest[] {
  const wanted: PortRequest[] = [];
  for (const [text, bindings] of Object.entries(hostConfig.PortBindings ?? {})) {
    const port = parsePort(text);
    const each = bindings === null || bindings.length === 0 ? [{}] : bindings;
    for (const { HostIp, HostPort } of each) {
      wanted.push({ ...port, ...hostPortsOf(HostPort ?? ''), ...hostAddressOf(text, HostIp ?? '') });
    }
  }
  if (hostConfig.PublishAllPorts === true) {
    for (const port of exposed.map(parsePort)) {
      const bound = wanted.some((one) => one.containerPort === port.containerPort && one.protocol === port.protocol);
      if (!bound) wanted.push({ ...port, hostPort: 0 });
    }
  }
  return wanted;
}

function parsePort(text: string): ContainerPort {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text);
  const containerPort = Number(match?.[1] ?? 0);
  const protocol = match?.[2] ?? 'tcp';
  if (match === null || containerPort < 1 || containerPort > 65_535) throw invalidPort(text);
  if (protocol === 'sctp') throw unsupported(`HostConfig.PortBindings: ${text} is not supported: tcp and udp are`);
  return { containerPort, protocol: protocol === 'udp' ? 'udp' : 'tcp' };
}

/** `8080`, `8000-8010` for a free one of these, empty or `0` for any. */
function hostPortsOf(text: string): Pick<PortRequest, 'hostPort' | 'lastHostPort'> {
  if (text === '' || text === '0') return { hostPort: 0 };
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const [first, last] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? match?.[1] ?? 0)];
  if (match === null || first < 1 || last > 65_535 || last < first) throw invalidPort(text);
  return first === last ? { hostPort: first } : { hostPort: first, lastHostPort: last };
}

function hostAddressOf(of: string, address: string): Pick<PortRequest, 'hostAddress'> {
  if (['', '::', '[::]'].includes(address)) return {};
  if (parseIpv4(address) !== undefined) return { hostAddress: address };
  if (address.includes(':')) {
    const text = `HostConfig.PortBindings: ${of} at the address ${address.slice(0, 50)} is not supported`;
    throw unsupported(`${text}: ports are published on IPv4 addresses in this version`);
  }
  throw new BerthError('invalid', 'docker.port-invalid', `invalid IP address: ${address.slice(0, 50)}`);
}

function invalidPort(text: string): BerthError {
  return new BerthError('invalid', 'docker.port-invalid', `invalid port specification: "${text.slice(0, 40)}"`);
}

function unsupported(text: string): BerthError {
  return new BerthError('unsupported', 'docker.field-unsupported', text);
}
