import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { taskStatus, type TaskStatus } from '#shared/model/task.ts';

export interface StatusBatch {
  readonly seq: number;
  readonly tasks: readonly TaskStatus[];
}

/** Most tasks in one batch: with the longest messages it stays below MAX_CONTROL_FRAME_BYTES. */
const MAX_BATCH_TASKS = 250;
/** Batches that may be sent and not acknowledged; what comes later waits, and is merged while it waits. */
export const MAX_UNACKED_BATCHES = 8;

const storedBatch = z.array(taskStatus);

/**
 * What this host has still to tell of its tasks, in runner.db: numbered batches, kept until the control plane has
 * acknowledged them.
 *
 * Invariants: numbers count up by one without a gap over the host's whole life; a batch that may have been sent is never
 * changed, so that a number means the same at both ends; batches that were never sent hold each task once, with its
 * newest state, so that the table is bounded by MAX_UNACKED_BATCHES and the number of tasks, however long the
 * control plane is away.
 */
export class Outbox {
  readonly #database: DatabaseSync;
  /** Highest number that may ever have been sent, over restarts. */
  #frozenSeq: number;
  /** Highest number sent or stored over the present connection. */
  #sentSeq: number;
  /** The number of the next new batch. */
  #nextSeq: number;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const stored = database.prepare('select max(seq) as seq from outbox').get();
    const used = database.prepare("select seq from sqlite_sequence where name = 'outbox'").get();
    const frozen = database.prepare("select value from meta where key = 'outbox-sent'").get();
    this.#nextSeq = Number(stored?.['seq'] ?? used?.['seq'] ?? 0) + 1;
    this.#frozenSeq = Number(frozen?.['value'] ?? 0);
    this.#sentSeq = this.#frozenSeq;
  }

  /** Adds what changed; on disk when it returns. */
  add(changed: readonly TaskStatus[]): void {
    if (changed.length === 0) return;
    this.#replaceUnsent([...this.#batchesAfter(this.#frozenSeq).flatMap((batch) => batch.tasks), ...changed]);
  }

  /** The next batch to send, marked as sent; undefined when there is none, or too many wait for acknowledgement. */
  takeNext(): StatusBatch | undefined {
    const first = this.#database.prepare('select min(seq) as seq from outbox').get();
    const oldest = Number(first?.['seq'] ?? this.#nextSeq);
    if (this.#sentSeq + 1 >= oldest + MAX_UNACKED_BATCHES) return undefined;
    const [batch] = this.#batchesAfter(this.#sentSeq, 1);
    if (batch === undefined) return undefined;
    this.#sentSeq = batch.seq;
    if (this.#sentSeq > this.#frozenSeq) this.#freeze(this.#sentSeq);
    return batch;
  }

  /** Everything up to and with `seq` is stored at the control plane. */
  acknowledge(seq: number): void {
    this.#database.prepare('delete from outbox where seq <= ?').run(seq);
  }

  /**
   * A new connection: the control plane has stored everything up to `ackedSeq`. What it has not is sent again by
   * `takeNext`. `lost` is true when the two do not fit together, because one of them is from a backup: the caller then
   * adds every status anew.
   */
  resume(ackedSeq: number): { lost: boolean } {
    const oldest = this.#batchesAfter(0, 1)[0]?.seq ?? this.#nextSeq;
    const isAhead = ackedSeq >= this.#nextSeq; // it has numbers that we never gave: ours start after them
    const isBehind = ackedSeq + 1 < oldest; // it has forgotten what it had acknowledged
    const lost = isAhead || isBehind;
    if (!lost) this.acknowledge(ackedSeq);
    else this.#renumber(ackedSeq);
    this.#sentSeq = ackedSeq;
    return { lost };
  }

  #batchesAfter(seq: number, limit = -1): StatusBatch[] {
    const select = this.#database.prepare('select seq, batch from outbox where seq > ? order by seq limit ?');
    const rows = select.all(seq, limit);
    return rows.map((row) => ({
      seq: Number(row['seq']),
      tasks: storedBatch.parse(JSON.parse(String(row['batch']))),
    }));
  }

  #freeze(seq: number): void {
    this.#frozenSeq = seq;
    this.#database
      .prepare(
        "insert into meta (key, value) values ('outbox-sent', ?) on conflict do update set value = excluded.value",
      )
      .run(String(seq));
  }

  #renumber(ackedSeq: number): void {
    const tasks = this.#batchesAfter(0).flatMap((batch) => batch.tasks);
    this.#database.exec('delete from outbox');
    this.#freeze(ackedSeq);
    this.#replaceUnsent(tasks);
  }

  /** Stores the newest of these statuses by task in place of every batch that was never sent. */
  #replaceUnsent(statuses: readonly TaskStatus[]): void {
    const newest = new Map<string, TaskStatus>();
    for (const status of statuses) {
      newest.delete(status.taskId); // a later state also takes the later place
      newest.set(status.taskId, status);
    }
    const tasks = [...newest.values()];
    const insert = this.#database.prepare('insert into outbox (seq, batch) values (?, ?)');
    this.#database.exec('begin immediate');
    try {
      this.#database.prepare('delete from outbox where seq > ?').run(this.#frozenSeq);
      let seq = this.#frozenSeq;
      for (let at = 0; at < tasks.length; at += MAX_BATCH_TASKS) {
        seq += 1;
        insert.run(seq, JSON.stringify(tasks.slice(at, at + MAX_BATCH_TASKS)));
      }
      // The highest number used outlives its batch: without it a restart would begin again from 1.
      this.#database.prepare("update sqlite_sequence set seq = ? where name = 'outbox'").run(seq);
      this.#database.exec('commit');
      this.#nextSeq = seq + 1;
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
  }
}
