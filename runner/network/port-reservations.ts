import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import type { PublishedPort } from '#shared/model/service.ts';
import { hostPortIsFree } from './port-probe.ts';

/**
 * Who may answer at which host port, in runner.db. Containers of one group share a port; anybody else's is taken.
 * Reservations are made one after the other, so that a probe of the host and what it decides are one step.
 */
export class PortReservations {
  readonly #database: DatabaseSync;
  #tail: Promise<void> = Promise.resolve();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Makes `ports` all that the container has reserved: an empty list gives everything back. All or nothing.
   *
   * @throws BerthError `port.taken`
   */
  reserve(containerId: string, publishGroup: string, ports: readonly PublishedPort[]): Promise<void> {
    const result = this.#tail.then(() => this.#reserveNow(containerId, publishGroup, ports));
    this.#tail = result.catch(() => {});
    return result;
  }

  release(containerId: string): void {
    this.#database.prepare('delete from port_reservations where container_id = ?').run(containerId);
  }

  async #reserveNow(containerId: string, publishGroup: string, ports: readonly PublishedPort[]): Promise<void> {
    for (const port of ports) await this.#check(containerId, publishGroup, port);
    this.#database.exec('begin immediate');
    try {
      this.release(containerId);
      const insert = this.#database.prepare(
        `insert or ignore into port_reservations (protocol, host_port, publish_group, container_id) values (?, ?, ?, ?)`,
      );
      for (const port of ports) insert.run(port.protocol, port.hostPort, publishGroup, containerId);
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
  }

  async #check(containerId: string, publishGroup: string, { protocol, hostPort }: PublishedPort): Promise<void> {
    const holders = this.#database
      .prepare('select publish_group, container_id from port_reservations where protocol = ? and host_port = ?')
      .all(protocol, hostPort);
    const others = holders.filter((row) => row['container_id'] !== containerId);
    const foreign = others.find((row) => row['publish_group'] !== publishGroup);
    if (foreign !== undefined) {
      const holder = String(foreign['container_id']).slice(0, 12);
      throw taken(containerId, hostPort, {
        holder: `container ${holder} publishes ${protocol} port ${hostPort}`,
        remedy: `Stop that container (${holder}), or publish another host port.`,
      });
    }
    if (others.length > 0 || (await hostPortIsFree(protocol, hostPort))) return; // ours already, or nobody's
    throw taken(containerId, hostPort, {
      holder: `another process of this host uses ${protocol} port ${hostPort}`,
      remedy: `Find it with: ss -lnp --${protocol} "sport = :${hostPort}"; stop it, or publish another host port.`,
    });
  }
}

/** Docker's text, then who holds the port. */
function taken(containerId: string, hostPort: number, why: { holder: string; remedy: string }): BerthError {
  return new BerthError(
    'conflict',
    'port.taken',
    `start container ${containerId.slice(0, 12)}: Bind for 0.0.0.0:${hostPort} failed: port is already allocated (${why.holder})`,
    { remedy: why.remedy },
  );
}
