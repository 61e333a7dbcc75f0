import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { taskStatus, type TaskStatus } from '#shared/model/task.ts';

/**
 * The terminal statuses of tasks, in runner.db: a task that has one never runs again, whatever becomes of its container
 * and of this process. Rows without a status are tasks that left the assignment before they had one.
 */
export class OutcomeStore {
  readonly #database: DatabaseSync;
  readonly #departed: StatementSync;
  readonly #outcomes = new Map<string, TaskStatus>();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#departed = database.prepare('select task_id from task_outcomes where status is null');
    for (const row of database.prepare('select status from task_outcomes where status is not null').all()) {
      const status = taskStatus.parse(JSON.parse(String(row['status'])));
      this.#outcomes.set(status.taskId, status);
    }
  }

  get outcomes(): ReadonlyMap<string, TaskStatus> {
    return this.#outcomes;
  }

  /** Tasks that left the assignment and have no outcome yet. */
  departed(): ReadonlySet<string> {
    return new Set(this.#departed.all().map((row) => String(row['task_id'])));
  }

  /** Puts terminal statuses on disk and forgets others, as one transaction. */
  write(change: { readonly settled: readonly TaskStatus[]; readonly forgotten: readonly string[] }): void {
    if (change.settled.length === 0 && change.forgotten.length === 0) return;
    this.#database.exec('begin immediate');
    try {
      const put = this.#database.prepare('insert or replace into task_outcomes (task_id, status) values (?, ?)');
      const remove = this.#database.prepare('delete from task_outcomes where task_id = ?');
      for (const status of change.settled) put.run(status.taskId, JSON.stringify(status));
      for (const taskId of change.forgotten) remove.run(taskId);
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
    for (const status of change.settled) this.#outcomes.set(status.taskId, status);
    for (const taskId of change.forgotten) this.#outcomes.delete(taskId);
  }
}
