import { BerthError } from '#shared/errors.ts';
import { DEFAULT_NETWORK } from '../network/network-record.ts';
import type { ContainerConfig } from './config.ts';
import type { HostsEntry } from './hosts-file.ts';
import type { ContainerRecord } from './engine.ts';

/** A linked container as its linking one sees it. */
export interface LegacyLink {
  readonly entry: HostsEntry;
  readonly environment: readonly string[];
}

type Find = (containerId: string) => ContainerRecord | undefined;

/** The links of a container of the default bridge, as they are now; those that have ended are left out. */
export function legacyLinks(config: ContainerConfig, find: Find): readonly LegacyLink[] {
  return config.legacyLinks.flatMap((link) => {
    const seen = linkSeen(config, link, find);
    return seen === undefined ? [] : [seen];
  });
}

/**
 * The same, for a start.
 *
 * @throws BerthError `container.link-broken` when one does not run
 */
export function requireLegacyLinks(config: ContainerConfig, find: Find): readonly LegacyLink[] {
  return config.legacyLinks.map((link) => {
    const seen = linkSeen(config, link, find);
    if (seen !== undefined) return seen;
    const name = find(link.containerId)?.config.name ?? link.name;
    const text = `Cannot link to a non running container: /${name} AS /${config.name}/${link.alias}`;
    throw new BerthError('conflict', 'container.link-broken', text);
  });
}

function linkSeen(
  { name }: ContainerConfig,
  { containerId, alias }: ContainerConfig['legacyLinks'][number],
  find: Find,
): LegacyLink | undefined {
  const record = find(containerId);
  const address = record?.links?.find((link) => link.networkName === DEFAULT_NETWORK)?.address;
  if (record?.state !== 'running' || address === undefined) return undefined;
  const names = [alias, record.config.hostname, record.config.name];
  return {
    entry: { address, names: names.filter((one, at) => names.indexOf(one) === at) },
    environment: environmentOf(record, address, alias, name),
  };
}

/** The variables by which programs find a linked container (moby daemon/links): each exposed port, and its own variables. */
function environmentOf(record: ContainerRecord, address: string, alias: string, owner: string): readonly string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_');
  const ports = exposedPorts(record);
  const [first] = ports;
  const lines = first === undefined ? [] : [`${prefix}_PORT=${first.protocol}://${address}:${first.port}`];
  for (const { port, protocol } of ports) {
    const own = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    lines.push(
      `${own}=${protocol}://${address}:${port}`,
      `${own}_ADDR=${address}`,
      `${own}_PORT=${port}`,
      `${own}_PROTO=${protocol}`,
    );
  }
  const inherited = record.config.environment
    .filter((variable) => variable.includes('=') && !/^(HOME|PATH)=/.test(variable))
    .map((variable) => `${prefix}_ENV_${variable}`);
  return [...lines, `${prefix}_NAME=/${owner}/${alias}`, ...inherited];
}

function exposedPorts({ config }: ContainerRecord): readonly { readonly port: number; readonly protocol: string }[] {
  const exposed = config.docker?.config['ExposedPorts'];
  const names = typeof exposed === 'object' && exposed !== null ? Object.keys(exposed) : [];
  return names
    .map((name) => {
      const [port, protocol = 'tcp'] = name.split('/');
      return { port: Number(port), protocol };
    })
    .filter(({ port }) => Number.isInteger(port))
    .toSorted((a, b) => (a.protocol === b.protocol ? a.port - b.port : a.protocol === 'tcp' ? -1 : 1));
}
