import type { ContainerSpec } from '#shared/model/service.ts';
import { isTerminal } from '#shared/model/task.ts';
import { MAX_CONTROL_FRAME_BYTES } from '#shared/protocol/control.ts';
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

/**
 * Characters of JSON that one host's assignment may have. The complete one is a single frame of the control channel, a
 * character is up to three bytes of UTF-8, and a frame over the limit would cut the host off for good.
 */
const MAX_ASSIGNED_CHARACTERS = Math.floor(MAX_CONTROL_FRAME_BYTES / 3) - 64 * 1024;

/** What a task has in its assignment beside its container, in characters: ids, names, numbers. */
const TASK_CHARACTERS = 512;

interface Node {
  /** Its place in the order of names, and in the arrays of counts. */
  readonly index: number;
  readonly host: HostRecord;
  readonly images: ReadonlySet<string>;
  /** `protocol/hostPort` -> the ids of the services that hold it; more than one only while tasks of old are stopping. */
  readonly ports: Map<string, Set<string>>;
  /** Length of its assignment, in characters of JSON. */
  characters: number;
}

type Port = ContainerSpec['ports'][number];

function portKey(port: Port): string {
  return `${port.protocol}/${port.hostPort}`;
}

/**
 * Finds hosts for containers, and keeps count of what it has placed. Filter: the host is ready, holds the image, none of
 * the published ports is held there by another service, and its assignment has room. Rank: fewest replicas of the same service, then fewest tasks,
 * then name. Pure: what it answers depends on the state it was made of and on the calls since then alone.
 */
export class Scheduler {
  readonly #ready: readonly Node[];
  readonly #byId: ReadonlyMap<string, Node>;
  readonly #withImage = new Map<string, readonly Node[]>();
  /** Length in an assignment by container. */
  readonly #lengths = new WeakMap<object, number>();
  /** Number of live tasks by node. */
  readonly #load: Int32Array;
  /** service id -> node -> number of its replicas there. */
  readonly #replicas = new Map<string, Map<number, number>>();
  /** The same of the service that was asked for last, in a form that is quick to scan. */
  readonly #scanned: { serviceId: string | undefined; readonly counts: Int32Array };

  constructor(hosts: readonly HostRecord[], tasks: readonly TaskRecord[]) {
    this.#ready = hosts
      .filter((host) => host.state === 'ready' && !host.removed)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((host, index) => ({
        index,
        host,
        images: new Set(host.images.flatMap((image) => [image.id, ...image.references])),
        ports: new Map<string, Set<string>>(),
        characters: 0,
      }));
    this.#byId = new Map(this.#ready.map((node) => [node.host.id, node]));
    this.#load = new Int32Array(this.#ready.length);
    this.#scanned = { serviceId: undefined, counts: new Int32Array(this.#ready.length) };
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
    this.#count(node.index, request.serviceId);
    node.characters += this.#lengthOf(request.container);
    for (const port of request.container.ports) {
      const holders = node.ports.get(portKey(port));
      if (holders === undefined) node.ports.set(portKey(port), new Set([request.serviceId]));
      else holders.add(request.serviceId);
    }
  }

  #lengthOf(container: object): number {
    const known = this.#lengths.get(container);
    if (known !== undefined) return known;
    const length = TASK_CHARACTERS + JSON.stringify(container).length;
    this.#lengths.set(container, length);
    return length;
  }

  #count(index: number, serviceId: string): void {
    this.#load[index] = (this.#load[index] ?? 0) + 1;
    const replicas = this.#replicas.get(serviceId) ?? new Map<number, number>();
    const count = (replicas.get(index) ?? 0) + 1;
    this.#replicas.set(serviceId, replicas.set(index, count));
    if (this.#scanned.serviceId === serviceId) this.#scanned.counts[index] = count;
  }

  #countsOf(serviceId: string): Int32Array {
    const { counts } = this.#scanned;
    if (this.#scanned.serviceId === serviceId) return counts;
    this.#scanned.serviceId = serviceId;
    counts.fill(0);
    for (const [index, count] of this.#replicas.get(serviceId) ?? []) counts[index] = count;
    return counts;
  }

  #candidates(image: string): readonly Node[] {
    const known = this.#withImage.get(image);
    if (known !== undefined) return known;
    const name = canonicalImageName(image);
    const nodes = this.#ready.filter((node) => node.images.has(name));
    this.#withImage.set(image, nodes);
    return nodes;
  }

  /** Hosts come in order of name, so an equal rank keeps the earlier one. */
  #best(request: PlacementRequest): Node | undefined {
    const replicas = this.#countsOf(request.serviceId);
    const room = MAX_ASSIGNED_CHARACTERS - this.#lengthOf(request.container);
    let best: Node | undefined;
    let bestSpread = Infinity;
    let bestLoad = Infinity;
    for (const node of this.#candidates(request.container.image)) {
      const avoided = node.host.id === request.avoidHostId ? 1e6 : 0;
      const spread = avoided + (replicas[node.index] ?? 0);
      const load = this.#load[node.index] ?? 0;
      if (spread > bestSpread || (spread === bestSpread && load >= bestLoad)) continue;
      if (node.characters > room || heldPort(node, request) !== undefined) continue;
      best = node;
      bestSpread = spread;
      bestLoad = load;
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
    if (held === undefined) {
      return `the assignment of every ready host with the image (${namesOf(nodes)}) has no room for this container`;
    }
    const port = `host port ${held.hostPort}/${held.protocol}`;
    return `${port} is held by another service on every ready host with the image (${namesOf(nodes)})`;
  }
}

function heldPort(node: Node, request: PlacementRequest): Port | undefined {
  if (node.ports.size === 0) return undefined;
  return request.container.ports.find((port) => {
    const holders = node.ports.get(portKey(port));
    return holders !== undefined && (holders.size > 1 || !holders.has(request.serviceId));
  });
}

function namesOf(nodes: readonly Node[]): string {
  const names = nodes.slice(0, 3).map((node) => node.host.name);
  return nodes.length > names.length ? `${names.join(', ')} and ${nodes.length - names.length} more` : names.join(', ');
}
