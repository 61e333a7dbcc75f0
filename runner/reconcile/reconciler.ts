import type { Assignment, AssignmentIncrement, AssignmentVersion } from '#shared/model/assignment.ts';
import type { TaskStatus } from '#shared/model/task.ts';

/**
 * Brings the host's containers in line with its assignment, for as long as `run` runs. What the agent needs of it, and
 * all that it may use.
 */
export interface Reconciler {
  /** What the host holds durably: generation 0 with the digest of the empty assignment when it has never had one. */
  version(): AssignmentVersion;
  /**
   * Replaces the assignment; durable when it resolves. An empty one is explicit and removes every task's container.
   *
   * @throws BerthError `assignment.digest-mismatch` when the content is not what the version says; nothing is changed
   */
  applyComplete(version: AssignmentVersion, assignment: Assignment): Promise<void>;
  /**
   * Changes the assignment; durable when it resolves `applied`. `mismatch`: the increment does not start from what this
   * host holds, or does not lead to what the version says; nothing is changed, ask for the complete set (`resync`).
   */
  applyIncrement(version: AssignmentVersion, increment: AssignmentIncrement): Promise<'applied' | 'mismatch'>;
  /** The newest status of every task that is known here: those of the assignment and those still being taken down. */
  statuses(): readonly TaskStatus[];
  /** Called with the statuses that changed, after each change. */
  onStatus(listener: (changed: readonly TaskStatus[]) => void): Disposable;
  /**
   * Until when (Unix milliseconds) the control plane counts on this host: `stop-after` tasks are stopped by the host
   * itself so long after that moment. Undefined: no lease is in force yet, and none is counted.
   */
  setLease(expiresAtMs: number | undefined): void;
  /** Runs until `signal` aborts; containers stay as they are. Rejects only for a fault of its own. */
  run(options: { signal: AbortSignal }): Promise<void>;
}
