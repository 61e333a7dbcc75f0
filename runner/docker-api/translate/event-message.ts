import type { ProbeEvent } from '../../container/control.ts';
import type { ContainerRecord } from '../../container/engine.ts';
import type { NetworkLink } from '../../network/network.ts';
import type { NetworkRecord } from '../../network/network-record.ts';
import { driverOf } from './network-document.ts';

/** An event before its time is known. */
export interface EventContent {
  readonly type: 'container' | 'image' | 'network' | 'volume' | 'daemon';
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** EventMessage of the Docker Engine API. */
export type EventMessage = Readonly<Record<string, unknown>> & {
  readonly Type: EventContent['type'];
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly time: number;
  readonly timeNano: number;
};

export function eventMessage({ type, action, id, attributes }: EventContent, atMs: number): EventMessage {
  const legacy =
    type === 'container' ? { status: action, id, from: attributes['image'] ?? '' } : { status: action, id };
  return {
    ...(type === 'container' || type === 'image' ? legacy : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Math.floor(atMs / 1000),
    // Nanoseconds are beyond what a double counts exactly; the last digits are zeros in effect.
    timeNano: atMs * 1_000_000,
  };
}

export function containerEvent(
  record: ContainerRecord,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): EventContent {
  const { config } = record;
  return {
    type: 'container',
    action,
    id: record.id,
    attributes: { ...config.labels, ...attributes, image: config.image, name: config.name },
  };
}

export function networkEvent(network: NetworkRecord, action: 'create' | 'destroy'): EventContent {
  const attributes = { name: network.name, type: driverOf(network) };
  return { type: 'network', action, id: network.id, attributes };
}

/** Told once for each pruning. */
export function pruneEvent(type: 'network'): EventContent {
  return { type, action: 'prune', id: '', attributes: { reclaimed: '0' } };
}

/** Of a container that is no longer on a network. */
export function disconnectEvent(
  { id }: ContainerRecord,
  { networkId, networkName }: Pick<NetworkLink, 'networkId' | 'networkName'>,
): EventContent {
  const attributes = { container: id, name: networkName, type: 'bridge' };
  return { type: 'network', action: 'disconnect', id: networkId, attributes };
}

/** Networks that a container is on since, and those that it is no longer on. */
function linkEvents(before: ContainerRecord, after: ContainerRecord): readonly EventContent[] {
  const [old = [], now = []] = [before.links, after.links];
  const among = (links: readonly NetworkLink[], link: NetworkLink): boolean =>
    links.some(({ networkId }) => networkId === link.networkId);
  return [
    ...old.filter((link) => !among(now, link)).map((link) => disconnectEvent(after, link)),
    ...now.filter((link) => !among(old, link)).map((link) => ({ ...disconnectEvent(after, link), action: 'connect' })),
  ];
}

/** What a change of a container's record means in Docker's events. */
export function eventsOfChange(
  before: ContainerRecord | undefined,
  after: ContainerRecord | undefined,
): readonly EventContent[] {
  if (before === undefined) return after === undefined ? [] : [containerEvent(after, 'create')];
  if (after === undefined) return [containerEvent(before, 'destroy')];
  const events: EventContent[] = [];
  if (before.config.name !== after.config.name) {
    events.push(containerEvent(after, 'rename', { oldName: `/${before.config.name}` }));
  }
  events.push(...linkEvents(before, after).filter(({ action }) => action === 'connect'));
  if (after.state === 'running' && before.state !== 'running') {
    events.push(...volumeEvents(after, 'mount'), containerEvent(after, 'start'));
  }
  if (before.state === 'running' && after.oomKilled && !before.oomKilled) events.push(containerEvent(after, 'oom'));
  if (before.state === 'running' && after.state !== 'running' && after.state !== 'removing') {
    const ranMs = (after.finishedAtMs ?? 0) - (after.startedAtMs ?? after.finishedAtMs ?? 0);
    const execDuration = `${Math.max(0, Math.floor(ranMs / 1000))}`;
    events.push(containerEvent(after, 'die', { execDuration, exitCode: `${after.exitCode ?? 0}` }));
  }
  if (before.state === 'running' && after.state === 'removing') {
    events.push(containerEvent(after, 'kill', { signal: '9' }), containerEvent(after, 'die', { exitCode: '137' }));
  }
  events.push(...linkEvents(before, after).filter(({ action }) => action === 'disconnect'));
  if (before.paused !== after.paused && after.state === 'running') {
    events.push(containerEvent(after, after.paused ? 'pause' : 'unpause'));
  }
  if (before.state === 'running' && after.state !== 'running') events.push(...volumeEvents(after, 'unmount'));
  if (before.health !== after.health && after.health !== 'none' && after.state === 'running') {
    if (after.health !== 'starting') events.push(containerEvent(after, `health_status: ${after.health}`));
  }
  return events;
}

/** One for each volume of the container. */
function volumeEvents({ id, config }: ContainerRecord, action: 'mount' | 'unmount'): readonly EventContent[] {
  return config.mounts.flatMap((mount): readonly EventContent[] => {
    if (mount.kind !== 'volume') return [];
    const { name, destination, readonly, propagation = '' } = mount;
    const details = { destination, propagation, 'read/write': `${!readonly}` };
    const attributes = { container: id, driver: 'local', ...(action === 'mount' ? details : {}) };
    return [{ type: 'volume', action, id: name, attributes }];
  });
}

/** What a health check's command tells of itself, as any exec. */
export function probeEvent(record: ContainerRecord, probe: ProbeEvent): EventContent {
  const { execId: execID, command } = probe;
  switch (probe.kind) {
    case 'created':
      return containerEvent(record, `exec_create: ${command.join(' ')}`, { execID });
    case 'started':
      return containerEvent(record, `exec_start: ${command.join(' ')}`, { execID });
    case 'ended':
      return containerEvent(record, 'exec_die', { execID, exitCode: `${probe.exitCode}` });
    default:
      return probe satisfies never;
  }
}
