import type { PublishedPort } from '#shared/model/service.ts';
import type { ComposeSource, Place } from './source.ts';

/** Ports that one service publishes at most. */
const MAX_PORTS = 256;

interface Range {
  readonly first: number;
  readonly last: number;
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last <= 65_535 && first <= last ? { first, last } : undefined;
}

/** `ports`: the short syntax `"8080:80/udp"`, with ranges of equal length, and the long one. */
export function readPorts(source: ComposeSource, place: Place): PublishedPort[] {
  const items = source.list(place, 'a list of ports such as "8080:80"') ?? [];
  const ports: PublishedPort[] = [];
  for (const item of items) {
    const added = source.isMap(item) ? readLong(source, item) : readShort(source, item);
    for (const port of added) {
      const twice = ports.some((one) => one.hostPort === port.hostPort && one.protocol === port.protocol);
      if (twice) source.fail(item, `host port ${port.hostPort}/${port.protocol} is published twice`);
      ports.push(port);
    }
    if (ports.length > MAX_PORTS) {
      source.fail(item, `a service may publish ${MAX_PORTS} ports at most`);
      break;
    }
  }
  return ports;
}

function readShort(source: ComposeSource, item: Place): PublishedPort[] {
  const text = source.scalar(item, 'a port such as "8080:80" or a mapping of target, published, protocol');
  if (text === undefined) return [];
  const fail = (message: string): PublishedPort[] => {
    source.fail(item, message);
    return [];
  };
  const [address = '', protocol = 'tcp', ...rest] = text.split('/');
  if (rest.length > 0 || !isProtocol(protocol)) return fail(`${text}: the protocol must be tcp or udp`);
  const parts = address.split(':');
  if (parts.length > 2) return fail(`${text}: a host IP is not supported; ports are published on all addresses`);
  const [published, target] = parts;
  if (published === undefined || target === undefined) {
    return fail(`${text}: a host port is needed, as in "8080:${text}"; random host ports are not supported`);
  }
  const host = parseRange(published);
  const container = parseRange(target);
  if (host === undefined || container === undefined) {
    return fail(`${text} is not a port mapping; write "HOST:CONTAINER", ports from 1 to 65535`);
  }
  if (host.last - host.first !== container.last - container.first) {
    return fail(`${text}: both ranges must have the same length`);
  }
  const length = Math.min(host.last - host.first + 1, MAX_PORTS + 1);
  return Array.from({ length }, (_, index) => ({
    protocol,
    hostPort: host.first + index,
    containerPort: container.first + index,
  }));
}

function readLong(source: ComposeSource, item: Place): PublishedPort[] {
  const members = source.members(item, ['target', 'published', 'protocol']);
  const target = members?.get('target');
  const published = members?.get('published');
  const named = members?.get('protocol');
  if (target === undefined || published === undefined) {
    source.fail(item, 'target and published are needed; random host ports are not supported');
    return [];
  }
  const containerPort = source.integer(target, 1, 65_535);
  const hostPort = source.integer(published, 1, 65_535);
  const protocol = named === undefined ? 'tcp' : source.text(named);
  if (named !== undefined && protocol !== undefined && !isProtocol(protocol)) {
    source.fail(named, 'the protocol must be tcp or udp');
  }
  if (containerPort === undefined || hostPort === undefined || !isProtocol(protocol)) return [];
  return [{ protocol, hostPort, containerPort }];
}

function isProtocol(text: string | undefined): text is PublishedPort['protocol'] {
  return text === 'tcp' || text === 'udp';
}
