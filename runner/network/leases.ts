import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import { hostRange, type Subnet } from './ipv4.ts';

/**
 * The addresses of one subnet, leased to containers in runner.db. An address that was given back is the last to be
 * given again, so that no connection of a container that has gone meets a new one.
 */
export class AddressLeases {
  readonly #database: DatabaseSync;
  readonly #subnet: Subnet;
  #cursor: number;

  constructor(database: DatabaseSync, subnet: Subnet) {
    this.#database = database;
    this.#subnet = subnet;
    const row = database.prepare('select max(address) as newest from address_leases').get();
    this.#cursor = Math.max(hostRange(subnet).first, Number(row?.['newest'] ?? 0) + 1);
  }

  /**
   * The container's address, leased now unless it already was.
   *
   * @throws BerthError `network.addresses-exhausted`
   */
  lease(containerId: string): number {
    const held = this.find(containerId);
    if (held !== undefined) return held;
    const address = this.#free();
    this.#database
      .prepare('insert into address_leases (container_id, address) values (?, ?)')
      .run(containerId, address);
    this.#cursor = address + 1;
    return address;
  }

  find(containerId: string): number | undefined {
    const row = this.#database.prepare('select address from address_leases where container_id = ?').get(containerId);
    return row === undefined ? undefined : Number(row['address']);
  }

  release(containerId: string): void {
    this.#database.prepare('delete from address_leases where container_id = ?').run(containerId);
  }

  /** The first free address from the cursor on, then from the start. */
  #free(): number {
    const { first, last } = hostRange(this.#subnet);
    const rows = this.#database.prepare('select address from address_leases').all();
    const taken = new Set(rows.map((row) => Number(row['address'])));
    const count = last - first + 1;
    const start = this.#cursor > last ? first : this.#cursor;
    for (let step = 0; step < count; step += 1) {
      const address = first + ((start - first + step) % count);
      if (!taken.has(address)) return address;
    }
    throw new BerthError(
      'conflict',
      'network.addresses-exhausted',
      `network: all ${count} addresses of this host's bridge are leased`,
      { remedy: 'Remove containers that are no longer needed on this host.' },
    );
  }
}
