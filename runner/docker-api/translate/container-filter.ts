import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../../container/engine.ts';
import { exposedPorts } from './container-document.ts';
import { statusWord } from './container-status.ts';
import { passes, passesLabels, type Filters } from './filters.ts';

export const containerFilterNames = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

const statuses = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];

const healths = ['none', 'starting', 'healthy', 'unhealthy'];

export interface Choice {
  readonly filters: Filters;
  readonly all: boolean;
  /** The newest so many, whatever their state; undefined or not positive: no limit. */
  readonly limit: number | undefined;
  /** The ID of the image that a reference names. */
  readonly imageId: (reference: string) => string | undefined;
  /** True when a reference names the network of an endpoint. */
  readonly isNetwork: (endpointNetwork: string, reference: string) => boolean;
}

/** The containers that GET /containers/json shows, newest first. */
export function chosenContainers(records: readonly ContainerRecord[], choice: Choice): readonly ContainerRecord[] {
  const { filters } = choice;
  for (const status of filters.get('status') ?? []) {
    if (statuses.includes(status)) continue;
    throw new BerthError('invalid', 'docker.filter-invalid', `invalid filter 'status=${status.slice(0, 40)}'`);
  }
  for (const code of filters.get('exited') ?? []) {
    if (/^[+-]?\d+$/.test(code)) continue;
    const why = `strconv.Atoi: parsing ${JSON.stringify(code.slice(0, 40))}: invalid syntax`;
    throw new BerthError('invalid', 'docker.filter-invalid', `invalid filter 'exited=${code.slice(0, 40)}': ${why}`);
  }
  for (const health of filters.get('health') ?? []) {
    if (healths.includes(health)) continue;
    const text = `Unrecognised filter value for health: ${health.slice(0, 40)}`;
    throw new BerthError('invalid', 'docker.filter-invalid', text);
  }
  for (const other of ['before', 'since'].flatMap((name) => filters.get(name) ?? [])) createdAt(records, other);
  const limit = choice.limit !== undefined && choice.limit > 0 ? choice.limit : undefined;
  const byState =
    choice.all || limit !== undefined || ['status', 'exited', 'since', 'before'].some((n) => filters.has(n));
  const newestFirst = records.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  return newestFirst
    .filter((record) => byState || record.state === 'running' || record.state === 'restarting')
    .filter((record) => matches(record, choice, newestFirst))
    .slice(0, limit);
}

function matches(
  record: ContainerRecord,
  { filters, imageId, isNetwork }: Choice,
  records: readonly ContainerRecord[],
): boolean {
  const { config } = record;
  const published = (record.published ?? config.ports).map(({ hostPort, protocol }) => `${hostPort}/${protocol}`);
  const withProtocol = (port: string): string => (port.includes('/') ? port : `${port}/tcp`);
  return (
    passes(filters, 'id', (value) => record.id.startsWith(value)) &&
    passes(filters, 'name', (value) => nameMatches(config.name, value)) &&
    passes(filters, 'status', (value) => statusWord(record) === value) &&
    passes(filters, 'exited', (value) => record.state === 'exited' && `${record.exitCode ?? 0}` === value) &&
    passes(filters, 'health', (value) => record.health === value) &&
    passes(filters, 'ancestor', (value) => imageId(value) === config.imageId) &&
    passes(filters, 'network', (value) => config.endpoints.some(({ network }) => isNetwork(network, value))) &&
    passes(filters, 'volume', (value) => hasMount(config, value)) &&
    passes(filters, 'is-task', (value) => (value === 'true') === (config.task !== undefined)) &&
    passes(filters, 'publish', (value) => published.includes(withProtocol(value))) &&
    passes(filters, 'expose', (value) => exposedPorts(record).includes(withProtocol(value))) &&
    passes(filters, 'before', (value) => record.createdAtMs < createdAt(records, value)) &&
    passes(filters, 'since', (value) => record.createdAtMs > createdAt(records, value)) &&
    passesLabels(filters, config.labels)
  );
}

/** By a volume's name, a source on the host or a destination. */
function hasMount({ mounts }: ContainerRecord['config'], value: string): boolean {
  return mounts.some((mount) => {
    if (mount.destination === value) return mount.kind !== 'tmpfs' || mount.listed;
    return mount.kind === 'volume' ? mount.name === value : mount.kind === 'bind' && mount.source === value;
  });
}

/** A part of the name, or a regular expression in the few signs that people use (`^/web$`). */
function nameMatches(name: string, value: string): boolean {
  const anchoredStart = value.startsWith('^');
  const anchoredEnd = value.endsWith('$');
  const text = value.slice(anchoredStart ? 1 : 0, anchoredEnd ? -1 : undefined);
  const plain = text.replace(/^\//, '');
  if (anchoredStart && anchoredEnd) return name === plain;
  if (anchoredStart) return name.startsWith(plain);
  if (anchoredEnd) return name.endsWith(plain);
  return `/${name}`.includes(text);
}

function createdAt(records: readonly ContainerRecord[], reference: string): number {
  const record = records.find((one) => one.id.startsWith(reference) || one.config.name === reference);
  if (record !== undefined) return record.createdAtMs;
  throw new BerthError('not-found', 'docker.no-container', `no such container ${reference.slice(0, 160)}`);
}
