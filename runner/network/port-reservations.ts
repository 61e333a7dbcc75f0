import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import type { BoundPort, PortRequest } from './network.ts';
import { probeHostPort } from './port-probe.ts';

const anyAddress = '0.0.0.0';

/** Where a port is looked for when any will do: the kernel's own range for outgoing connections, as with Docker. */
const anyPort = { first: 32_768, last: 60_999 };

/**
 * Who may answer at which host port, in runner.db. Containers of one group share a port; anybody else's is taken.
 * Reservations are made one after the other, so that a probe of the host and what it decides are one step.
 */
export class PortReservations {
  readonly #database: DatabaseSync;
  #tail: Promise<void> = Promise.resolve();
  #cursor = anyPort.first;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Makes `ports` all that the container has reserved: an empty list gives everything back. All or nothing.
   *
   * @throws BerthError `port.taken`, `port.address-unknown`
   */
  reserve(containerId: string, publishGroup: string, ports: readonly PortRequest[]): Promise<readonly BoundPort[]> {
    const result = this.#tail.then(() => this.#reserveNow(containerId, publishGroup, ports));
    this.#tail = result.then(ignore, ignore);
    return result;
  }

  /** What was chosen for the container last. */
  of(containerId: string): readonly BoundPort[] {
    const rows = this.#database
      .prepare('select * from port_reservations where container_id = ? and container_port > 0 order by rowid')
      .all(containerId);
    return rows.map((row) => ({
      protocol: row['protocol'] === 'udp' ? 'udp' : 'tcp',
      hostPort: Number(row['host_port']),
      containerPort: Number(row['container_port']),
      ...(row['host_address'] === anyAddress ? {} : { hostAddress: String(row['host_address']) }),
    }));
  }

  release(containerId: string): void {
    this.#database.prepare('delete from port_reservations where container_id = ?').run(containerId);
  }

  async #reserveNow(
    containerId: string,
    publishGroup: string,
    ports: readonly PortRequest[],
  ): Promise<readonly BoundPort[]> {
    const chosen: BoundPort[] = [];
    for (const port of ports) {
      const bound = await this.#choose(containerId, publishGroup, port, chosen);
      if (!chosen.some((one) => isSame(one, bound) && one.containerPort === bound.containerPort)) chosen.push(bound);
    }
    this.#database.exec('begin immediate');
    try {
      this.release(containerId);
      const insert = this.#database.prepare(
        `insert into port_reservations (protocol, host_address, host_port, container_port, publish_group, container_id)
          values (?, ?, ?, ?, ?, ?)`,
      );
      for (const { protocol, hostAddress = anyAddress, hostPort, containerPort } of chosen) {
        insert.run(protocol, hostAddress, hostPort, containerPort, publishGroup, containerId);
      }
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
    return chosen;
  }

  /** The port that was named, or the first free one of its range. */
  async #choose(
    containerId: string,
    publishGroup: string,
    request: PortRequest,
    chosen: readonly BoundPort[],
  ): Promise<BoundPort> {
    const { protocol, containerPort, hostAddress } = request;
    const at = (hostPort: number): BoundPort => ({
      protocol,
      containerPort,
      hostPort,
      ...(hostAddress === undefined || hostAddress === anyAddress ? {} : { hostAddress }),
    });
    let refusal: BerthError | undefined;
    for (const hostPort of this.#candidates(request)) {
      const bound = at(hostPort);
      const twice = chosen.find((one) => collide(one, bound) && one.containerPort !== containerPort);
      refusal =
        twice === undefined
          ? await this.#refusal(containerId, publishGroup, bound)
          : taken(bound, { holder: 'the container itself publishes it twice', remedy: 'Name it once.' });
      if (refusal?.code === 'port.address-unknown') break;
      if (refusal !== undefined) continue;
      if (request.hostPort === 0) this.#cursor = hostPort + 1;
      return bound;
    }
    throw refusal ?? taken(at(request.hostPort), { holder: 'no port is free', remedy: 'Free one.' });
  }

  *#candidates({ hostPort, lastHostPort = hostPort }: PortRequest): Generator<number> {
    if (hostPort !== 0) {
      for (let port = hostPort; port <= lastHostPort; port += 1) yield port;
      return;
    }
    const count = anyPort.last - anyPort.first + 1;
    const start = this.#cursor > anyPort.last ? anyPort.first : this.#cursor;
    for (let step = 0; step < count; step += 1) yield anyPort.first + ((start - anyPort.first + step) % count);
  }

  /** Why the container cannot have this port; undefined when it can. */
  async #refusal(containerId: string, publishGroup: string, port: BoundPort): Promise<BerthError | undefined> {
    const { protocol, hostPort, hostAddress } = port;
    const holders = this.#database
      .prepare('select * from port_reservations where protocol = ? and host_port = ?')
      .all(protocol, hostPort)
      .filter((row) => row['container_id'] !== containerId)
      .filter((row) => addressesMeet(String(row['host_address']), hostAddress ?? anyAddress));
    const foreign = holders.find((row) => row['publish_group'] !== publishGroup);
    if (foreign !== undefined) {
      const holder = String(foreign['container_id']).slice(0, 12);
      return taken(port, {
        holder: `container ${holder} publishes ${protocol} port ${hostPort}`,
        remedy: `Stop that container (${holder}), or publish another host port.`,
      });
    }
    if (holders.length > 0) return undefined; // ours already
    const probe = await probeHostPort(protocol, hostPort, hostAddress);
    if (probe === 'free') return undefined;
    if (probe === 'no-address') return noSuchAddress(port);
    return taken(port, {
      holder: `another process of this host uses ${protocol} port ${hostPort}`,
      remedy: `Find it with: ss -lnp --${protocol} "sport = :${hostPort}"; stop it, or publish another host port.`,
    });
  }
}

function addressesMeet(a: string, b: string): boolean {
  return a === b || a === anyAddress || b === anyAddress;
}

function isSame(a: BoundPort, b: BoundPort): boolean {
  return a.protocol === b.protocol && a.hostPort === b.hostPort && a.hostAddress === b.hostAddress;
}

function collide(a: BoundPort, b: BoundPort): boolean {
  const meet = addressesMeet(a.hostAddress ?? anyAddress, b.hostAddress ?? anyAddress);
  return meet && a.protocol === b.protocol && a.hostPort === b.hostPort;
}

/** Docker's text, then who holds the port. */
function taken(port: BoundPort, why: { holder: string; remedy: string }): BerthError {
  const { hostAddress = anyAddress, hostPort } = port;
  return new BerthError(
    'conflict',
    'port.taken',
    `Bind for ${hostAddress}:${hostPort} failed: port is already allocated (${why.holder})`,
    { remedy: why.remedy },
  );
}

function noSuchAddress({ hostAddress = anyAddress, hostPort, protocol }: BoundPort): BerthError {
  return new BerthError(
    'internal',
    'port.address-unknown',
    `failed to bind host port ${hostAddress}:${hostPort}/${protocol}: cannot assign requested address`,
  );
}

function ignore(): void {}
