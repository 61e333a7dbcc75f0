import type { ContainerRecord } from '../../container/engine.ts';
import { exposedPorts } from './container-document.ts';
import type { ContainerSize } from './container-size.ts';
import { endpointDocuments, type NetworkView } from './container-network.ts';
import { mountPoints } from './create/container-mounts.ts';
import { networkModeOf } from './create/networking.ts';
import { statusText, statusWord } from './container-status.ts';

/** One entry of GET /containers/json (ContainerSummary). */
export function containerSummary(
  record: ContainerRecord,
  view: {
    readonly network: NetworkView;
    readonly now: number;
    /** The ID of the image that a reference names now. */
    readonly imageId: (reference: string) => string | undefined;
    readonly volumePath: (name: string) => string;
    readonly size?: ContainerSize;
  },
): Readonly<Record<string, unknown>> {
  const { config } = record;
  return {
    Id: record.id,
    Names: [`/${config.name}`],
    // Another image may have that name now.
    Image: view.imageId(config.image) === config.imageId ? config.image : config.imageId,
    ImageID: config.imageId,
    Command: config.args.map(quoted).join(' '),
    Created: Math.floor(record.createdAtMs / 1000),
    Ports: portList(record),
    ...(view.size === undefined ? {} : { SizeRw: view.size.writtenBytes, SizeRootFs: view.size.rootBytes }),
    Labels: config.labels,
    State: statusWord(record),
    Status: statusText(record, view.now),
    HostConfig: { NetworkMode: networkModeOf(config) },
    NetworkSettings: { Networks: endpointDocuments(record, view.network) },
    Mounts: mountPoints(config, view.volumePath),
  };
}

/** As dockerd writes a command line: an argument with a space in quotes. */
function quoted(argument: string): string {
  return argument.includes(' ') ? `'${argument}'` : argument;
}

function portList(record: ContainerRecord): readonly Readonly<Record<string, unknown>>[] {
  if (record.state !== 'running') return [];
  const { published: bound = [] } = record;
  const published = bound.map((port) => ({
    IP: port.hostAddress ?? '0.0.0.0',
    PrivatePort: port.containerPort,
    PublicPort: port.hostPort,
    Type: port.protocol,
  }));
  const names = new Set(bound.map((port) => `${port.containerPort}/${port.protocol}`));
  const exposed = exposedPorts(record).filter((name) => !names.has(name));
  return [
    ...published,
    ...exposed.map((name) => {
      const [port = '', type = 'tcp'] = name.split('/');
      return { PrivatePort: Number(port), Type: type };
    }),
  ];
}
