import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { canonicalJson } from '#shared/canonical-json.ts';
import { BerthError } from '#shared/errors.ts';
import {
  applyIncrement,
  assignment,
  assignmentDigest,
  assignmentVersion,
  type Assignment,
  type AssignmentIncrement,
  type AssignmentVersion,
} from '#shared/model/assignment.ts';
import { slotKey, type SlotKey } from './slot.ts';

const assignmentRow = z.object({ generation: z.int(), digest: z.string(), content: z.string() });
const epochRow = z.object({ service_id: z.string(), slot: z.int(), epoch: z.int() });

/** Epochs are kept of so many slots whose services have left the assignment; the oldest beyond are forgotten. */
const MAX_FOREIGN_EPOCHS = 100_000;

/**
 * The host's assignment, in runner.db: what it holds now, the newest epoch seen of each slot, and which tasks left it
 * without their outcome being known yet. All three change in one transaction, which is on disk when an apply resolves.
 * Nothing is ever removed because a message did not come: only a complete assignment or an increment replaces what is
 * held, and either must have the digest that its version says.
 */
export class AssignmentStore {
  readonly #database: DatabaseSync;
  #version: AssignmentVersion;
  #assignment: Assignment;
  #epochs: ReadonlyMap<SlotKey, number>;
  #tail: Promise<void> = Promise.resolve();

  private constructor(database: DatabaseSync, version: AssignmentVersion, held: Assignment) {
    this.#database = database;
    this.#version = version;
    this.#assignment = held;
    this.#epochs = readEpochs(database);
  }

  /** @throws BerthError `assignment.corrupt` when what is on disk is not what was written */
  static async open(database: DatabaseSync): Promise<AssignmentStore> {
    const row = database.prepare('select generation, digest, content from assignment').get();
    if (row === undefined) {
      const empty: Assignment = { tasks: [] };
      return new AssignmentStore(database, { generation: 0, digest: await assignmentDigest(empty) }, empty);
    }
    try {
      const { content, ...version } = assignmentRow.parse(row);
      const held = assignment.parse(JSON.parse(content));
      return new AssignmentStore(database, assignmentVersion.parse(version), held);
    } catch (cause) {
      throw new BerthError('internal', 'assignment.corrupt', 'runner.db: the stored assignment cannot be read', {
        cause,
        remedy: 'Nothing was changed. Stop the runner and restore runner.db, or upgrade the runner that wrote it.',
      });
    }
  }

  get version(): AssignmentVersion {
    return this.#version;
  }

  get assignment(): Assignment {
    return this.#assignment;
  }

  /** The newest epoch that was ever assigned, by slot. */
  get epochs(): ReadonlyMap<SlotKey, number> {
    return this.#epochs;
  }

  /** @throws BerthError `assignment.digest-mismatch` */
  applyComplete(version: AssignmentVersion, next: Assignment): Promise<void> {
    return this.#inTurn(async () => {
      const digest = await assignmentDigest(next);
      if (digest !== version.digest) {
        throw new BerthError(
          'invalid',
          'assignment.digest-mismatch',
          `assignment of generation ${version.generation}: its content is ${digest}, its version says ${version.digest}`,
          { remedy: 'Nothing was changed. The control plane and this runner must be of releases that fit.' },
        );
      }
      this.#replace(version, next);
    });
  }

  applyIncrement(version: AssignmentVersion, increment: AssignmentIncrement): Promise<'applied' | 'mismatch'> {
    return this.#inTurn(async () => {
      if (increment.base !== this.#version.digest) return 'mismatch';
      const next = applyIncrement(this.#assignment, increment);
      if ((await assignmentDigest(next)) !== version.digest) return 'mismatch';
      this.#replace(version, next);
      return 'applied';
    });
  }

  /** One apply after the other: an increment's base is compared with what the one before has left. */
  #inTurn<Result>(apply: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(apply);
    this.#tail = result.then(ignore, ignore);
    return result;
  }

  #replace(version: AssignmentVersion, next: Assignment): void {
    const stays = new Set(next.tasks.map((task) => task.id));
    this.#database.exec('begin immediate');
    try {
      this.#database
        .prepare('insert or replace into assignment (only, generation, digest, content) values (1, ?, ?, ?)')
        .run(version.generation, version.digest, canonicalJson(next));
      this.#raiseEpochs(next);
      const depart = this.#database.prepare('insert or ignore into task_outcomes (task_id, status) values (?, null)');
      for (const task of this.#assignment.tasks) if (!stays.has(task.id)) depart.run(task.id);
      const remain = this.#database.prepare('delete from task_outcomes where task_id = ? and status is null');
      for (const taskId of stays) remain.run(taskId);
      this.#database.exec('commit');
    } catch (error) {
      this.#database.exec('rollback');
      throw error;
    }
    this.#version = version;
    this.#assignment = next;
    this.#epochs = readEpochs(this.#database);
  }

  #raiseEpochs(next: Assignment): void {
    const raise = this.#database.prepare(
      `insert into slot_epochs (service_id, slot, epoch) values (?, ?, ?)
       on conflict (service_id, slot) do update set epoch = max(epoch, excluded.epoch)`,
    );
    for (const task of next.tasks) raise.run(task.serviceId, task.slot, task.epoch);
    const serviceIds = JSON.stringify([...new Set(next.tasks.map((task) => task.serviceId))]);
    this.#database
      .prepare(
        `delete from slot_epochs where rowid in (
           select rowid from slot_epochs where service_id not in (select value from json_each(?))
           order by rowid desc limit -1 offset ?)`,
      )
      .run(serviceIds, MAX_FOREIGN_EPOCHS);
  }
}

function readEpochs(database: DatabaseSync): ReadonlyMap<SlotKey, number> {
  const rows = database.prepare('select service_id, slot, epoch from slot_epochs').all();
  return new Map(
    rows.map((row) => {
      const { service_id: serviceId, slot, epoch } = epochRow.parse(row);
      return [slotKey({ serviceId, slot }), epoch];
    }),
  );
}

function ignore(): void {}
