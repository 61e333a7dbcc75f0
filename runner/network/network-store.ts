import type { DatabaseSync } from 'node:sqlite';
import { BerthError } from '#shared/errors.ts';
import { bridgeNetwork, type BridgeNetworkRecord } from './network-record.ts';

/** `making`: its bridge may be there and nobody has been told; `removing`: it may be gone. */
export type NetworkState = 'making' | 'ready' | 'removing';

export interface StoredNetwork {
  readonly record: BridgeNetworkRecord;
  readonly state: NetworkState;
}

/** The user-defined networks of a data root. Reads are from memory; every change is on disk before the memory shows it. */
export class NetworkStore {
  readonly #database: DatabaseSync;
  readonly #networks = new Map<string, StoredNetwork>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    const rows = database.prepare('select state, record from networks order by created_at_ms, id').all();
    for (const row of rows) {
      const record = bridgeNetwork.parse(JSON.parse(String(row['record'])));
      this.#networks.set(record.id, { record, state: String(row['state']) as NetworkState });
    }
  }

  list(): readonly StoredNetwork[] {
    return [...this.#networks.values()];
  }

  /** @throws BerthError `network.name-taken` with dockerd's text */
  insert(record: BridgeNetworkRecord): void {
    if (this.list().some((one) => one.record.name === record.name)) {
      throw new BerthError('conflict', 'network.name-taken', `network with name ${record.name} already exists`);
    }
    this.#database
      .prepare("insert into networks (id, name, state, record, created_at_ms) values (?, ?, 'making', ?, ?)")
      .run(record.id, record.name, JSON.stringify(record), record.createdAtMs);
    this.#networks.set(record.id, { record, state: 'making' });
  }

  setState(id: string, state: NetworkState): void {
    const network = this.#networks.get(id);
    if (network === undefined) return;
    this.#database.prepare('update networks set state = ? where id = ?').run(state, id);
    this.#networks.set(id, { ...network, state });
  }

  delete(id: string): void {
    this.#database.prepare('delete from networks where id = ?').run(id);
    this.#networks.delete(id);
  }
}
