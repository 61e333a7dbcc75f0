import { BerthError } from '#shared/errors.ts';
import type { HostsEntry } from './hosts-file.ts';
import type { ContainerRecord } from './engine.ts';
import type { StoredContainer } from './state.ts';

/** A linked container as its linking one sees it. */
export interface LegacyLink {
  readonly entry: HostsEntry;
  readonly environment: readonly string[];
}

/**
 * The links of a container of the default bridge, as they are now.
 *
 * @throws BerthError `container.link-broken` when one does not run
 */
export function legacyLinks(
  { config }: Pick<StoredContainer, 'config'>,
  find: (containerId: string) => ContainerRecord | undefined,
): readonly LegacyLink[] {
  return config.legacyLinks.map(({ containerId, name, alias }) => {
    const record = find(containerId);
    if (record?.address === undefined || record.state !== 'running') {
      const text = `Cannot link to a non running container: /${record?.config.name ?? name} AS /${config.name}/${alias}`;
      throw new BerthError('conflict', 'container.link-broken', text);
    }
    const names = [alias, record.config.hostname, record.config.name].filter((one, at, all) => all.indexOf(one) === at);
    return {
      entry: { address: record.address, names },
      environment: environmentOf(record, record.address, alias, config.name),
    };
  });
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
