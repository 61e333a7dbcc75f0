import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { DriverOptions } from './driver-options.ts';

/** A volume as runner.db has it. */
export interface VolumeRecord {
  readonly name: string;
  /** Of the driver `local`, as given. */
  readonly options: DriverOptions;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly createdAtMs: number;
  /**
   * A container's id: when no record of that container is there any more, and no other container uses the volume, the
   * volume goes. It is set before a volume is made for a container that is not there yet, so that a crash in between
   * leaves nothing. `-`, which is no id: it is being removed. Undefined: it stays until it is removed.
   */
  readonly boundTo: string | undefined;
}

/** What `boundTo` is while a volume is made or removed for nobody's sake. */
export const BOUND_TO_NOBODY = '-';

/** The volumes of one host. Reads are from memory; every change is on disk before the memory shows it. */
export class VolumeStore {
  readonly #records = new Map<string, VolumeRecord>();
  readonly #insert: StatementSync;
  readonly #bind: StatementSync;
  readonly #delete: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      'insert into volumes (name, options, labels, created_at_ms, bound_to) values (?, ?, ?, ?, ?)',
    );
    this.#bind = database.prepare('update volumes set bound_to = ? where name = ?');
    this.#delete = database.prepare('delete from volumes where name = ?');
    for (const row of database.prepare('select * from volumes order by rowid').all()) {
      const name = String(row['name']);
      this.#records.set(name, {
        name,
        // Both are only ever written by this file.
        options: JSON.parse(String(row['options'])) as DriverOptions,
        labels: JSON.parse(String(row['labels'])) as VolumeRecord['labels'],
        createdAtMs: Number(row['created_at_ms']),
        boundTo: row['bound_to'] === null ? undefined : String(row['bound_to']),
      });
    }
  }

  get(name: string): VolumeRecord | undefined {
    return this.#records.get(name);
  }

  list(): readonly VolumeRecord[] {
    return [...this.#records.values()];
  }

  insert(record: VolumeRecord): void {
    const { name, options, labels, createdAtMs, boundTo } = record;
    this.#insert.run(name, JSON.stringify(options), JSON.stringify(labels), createdAtMs, boundTo ?? null);
    this.#records.set(name, record);
  }

  bind(name: string, boundTo: string | undefined): void {
    const record = this.#records.get(name);
    if (record === undefined || record.boundTo === boundTo) return;
    this.#bind.run(boundTo ?? null, name);
    this.#records.set(name, { ...record, boundTo });
  }

  delete(name: string): void {
    this.#delete.run(name);
    this.#records.delete(name);
  }
}
