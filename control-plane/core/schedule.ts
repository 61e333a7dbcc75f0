import type { ContainerSpec } from '#shared/model/service.ts';
import { isTerminal } from '#shared/model/task.ts';
import type { HostRecord, TaskRecord } from './cluster-state.ts';
import { canonicalImageName } from './image-name.ts';

/** One container that needs a host. */
export interface PlacementRequest {
  readonly serviceId: string;
  readonly container: Pick<ContainerSpec, 'image' | 'ports'>;
  /** A host that refused this slot before: taken only when no other one qualifies. */
  readonly avoidHostId?: string | undefined;
}

export type Placement =
  | { readonly kind: 'placed'; readonly hostId: string; readonly hostName: string }
  /** No host qualifies; `reason` says for people what is missing and where. */
  | { readonly kind: 'unplaceable'; readonly reason: string };

interface Node {
  readonly host: HostRecord;
  readonly images: ReadonlySet<string>;
  /** Number of live tasks. */
  load: number;
  readonly replicas: Map<string, number>;
  /** `protocol/hostPort` -> the id of the service that holds it. */
  readonly ports: Map<string, string>;
}

type Port = ContainerSpec['ports'][number];

function portKey(port: Port): string {
  return `${port.protocol}/${port.hostPort}`;
}

/**
 * Finds hosts for containers, and keeps count of what it has placed. Filter: the host is ready, holds the image, and none
 * of the published ports is held there by another service. Rank: fewest replicas of the same service, then fewest tasks,
 * then name. Pure: what it answers depends on the state it was made of and on the calls since then alone.
 */
export class Scheduler {
  readonly #ready: readonly Node[];
  readonly #byId: ReadonlyMap<string, Node>;
  readonly #withImage = new Map<string, readonly Node[]>();

  constructor(hosts: readonly HostRecord[], tasks: readonly TaskRecord[]) {
    this.#ready = hosts
      .filter((host) => host.state === 'ready' && !host.removed)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((host) => ({
        host,
        images: new Set(host.images.flatMap((image) => [image.id, ...image.references])),
        load: 0,
        replicas: new Map<string, number>(),
        ports: new Map<string, string>(),
      }));
    this.#byId = new Map(this.#ready.map((node) => [node.host.id, node]));
    for (const task of tasks) if (!isTerminal(task.state)) this.#occupy(task.hostId, task);
  }

  /** Where this container would go now; nothing is taken. */
  find(request: PlacementRequest): Placement {
    const node = this.#best(request);
    if (node === undefined) return { kind: 'unplaceable', reason: this.#reason(request) };
    return { kind: 'placed', hostId: node.host.id, hostName: node.host.name };
  }

  /** Finds a host and takes its place and ports. */
  place(request: PlacementRequest): Placement {
    const placement = this.find(request);
    if (placement.kind === 'placed') this.#occupy(placement.hostId, request);
    return placement;
  }

  #occupy(hostId: string, request: PlacementRequest): void {
    const node = this.#byId.get(hostId);
    if (node === undefined) return;
    node.load += 1;
    node.replicas.set(request.serviceId, (node.replicas.get(request.serviceId) ?? 0) + 1);
    for (const port of request.container.ports) node.ports.set(portKey(port), request.serviceId);
  }

  #candidates(image: string): readonly Node[] {
    const known = this.#withImage.get(image);
    if (known !== undefined) return known;
    const name = canonicalImageName(image);
    const nodes = this.#ready.filter((node) => node.images.has(name));
    this.#withImage.set(image, nodes);
    return nodes;
  }

  #best(request: PlacementRequest): Node | undefined {
    let best: Node | undefined;
    for (const node of this.#candidates(request.container.image)) {
      if (best !== undefined && !ranksBefore(node, best, request)) continue;
      if (heldPort(node, request) === undefined) best = node;
    }
    return best;
  }

  #reason(request: PlacementRequest): string {
    if (this.#ready.length === 0) return 'no host is ready';
    const nodes = this.#candidates(request.container.image);
    if (nodes.length === 0) {
      return `image ${request.container.image} is on none of the ${this.#ready.length} ready hosts`;
    }
    const held = nodes.map((node) => heldPort(node, request)).find((port) => port !== undefined);
    const port = held === undefined ? 'a host port' : `host port ${held.hostPort}/${held.protocol}`;
    return `${port} is held by another service on every ready host with the image (${namesOf(nodes)})`;
  }
}

/** Hosts come in order of name, so an equal rank keeps the earlier one. */
function ranksBefore(node: Node, best: Node, request: PlacementRequest): boolean {
  const avoided = Number(node.host.id === request.avoidHostId) - Number(best.host.id === request.avoidHostId);
  if (avoided !== 0) return avoided < 0;
  const spread = (node.replicas.get(request.serviceId) ?? 0) - (best.replicas.get(request.serviceId) ?? 0);
  if (spread !== 0) return spread < 0;
  return node.load < best.load;
}

function heldPort(node: Node, request: PlacementRequest): Port | undefined {
  if (node.ports.size === 0) return undefined;
  return request.container.ports.find((port) => {
    const holder = node.ports.get(portKey(port));
    return holder !== undefined && holder !== request.serviceId;
  });
}

function namesOf(nodes: readonly Node[]): string {
  const names = nodes.slice(0, 3).map((node) => node.host.name);
  return nodes.length > names.length ? `${names.join(', ')} and ${nodes.length - names.length} more` : names.join(', ');
}
