import type { DatabaseSync } from 'node:sqlite';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { errorText, isBerthError } from '#shared/errors.ts';
import type { Assignment, AssignmentIncrement, AssignmentVersion } from '#shared/model/assignment.ts';
import type { TaskStatus } from '#shared/model/task.ts';
import type { Engine } from '../container/engine.ts';
import type { ImageStore } from '../image/store.ts';
import { AssignmentStore } from './assignment-store.ts';
import { execute } from './execute.ts';
import { LeaseStore } from './lease-store.ts';
import { OutcomeStore } from './outcome-store.ts';
import type { Plan } from './draft.ts';
import { planSteps } from './plan.ts';
import type { Reconciler } from './reconciler.ts';
import type { SlotKey } from './slot.ts';
import { LONGEST_RETRY_MS, type Step, type StepFailure } from './step.ts';
import { WakeUp } from './wake-up.ts';

/** How many steps run at once. A stop mostly waits for its container's grace period, so more of them may. */
const MAX_STOPS = 64;
const MAX_OTHER_STEPS = 8;

/**
 * After a pass the loop rests for so many times as long as its planning took, so that on a host with thousands of tasks,
 * each of which changes several times as it starts, planning takes a fifth of a core at most. With few tasks it is nothing.
 */
const REST_PER_PASS = 4;
const LONGEST_REST_MS = 100;

const FIRST_RETRY_MS = 1000;

export interface ReconcilerOptions {
  readonly database: DatabaseSync;
  readonly engine: Engine;
  readonly images: ImageStore;
  /** Unix milliseconds. */
  readonly clock: () => number;
  /** Told of each failed step; its text is in the task's status too. */
  readonly log?: (level: 'info' | 'error', message: string) => void;
}

/**
 * Reads what is on disk; `run` starts the work.
 *
 * @throws BerthError `assignment.corrupt`
 */
export async function createReconciler(options: ReconcilerOptions): Promise<Reconciler> {
  return new ReconcileLoop(options, await AssignmentStore.open(options.database));
}

/**
 * Invariants:
 * - One pass at a time, and a pass never waits: it reads memory and runner.db, plans, writes outcomes, starts steps. So
 *   a plan is never older than what it was made from.
 * - A pass acts only on an assignment that is on disk, and a task's terminal status is on disk before anyone hears of it
 *   and before its container is removed.
 * - One step at a time in a slot, so that a plan made while a step is under way cannot race it; steps of different slots
 *   run at the same time, up to a bound.
 * - A failed step stops no other; it is planned again when its backoff has passed, or its task has failed.
 * - Everything that may change a plan wakes the loop: an assignment, a lease, a container, an image, the end of a step,
 *   a moment that the plan named. A wake-up too many costs one pass and does nothing.
 */
class ReconcileLoop implements Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #assignments: AssignmentStore;
  readonly #outcomes: OutcomeStore;
  readonly #lease: LeaseStore;
  readonly #wakeUp = new WakeUp();
  readonly #failures = new Map<string, StepFailure>();
  readonly #underWay = new Map<SlotKey, { readonly step: Step; readonly done: Promise<void> }>();
  readonly #listeners = new Set<(changed: readonly TaskStatus[]) => void>();
  #statuses = new Map<string, TaskStatus>();
  /** Of the last pass: the disk's part of it is no reason to rest. */
  #planningMs = 0;

  constructor(options: ReconcilerOptions, assignments: AssignmentStore) {
    this.#options = options;
    this.#assignments = assignments;
    this.#outcomes = new OutcomeStore(options.database);
    this.#lease = new LeaseStore(options.database, options.clock);
    this.#takeStatuses(this.#plan());
  }

  version(): AssignmentVersion {
    return this.#assignments.version;
  }

  async applyComplete(version: AssignmentVersion, assignment: Assignment): Promise<void> {
    await this.#assignments.applyComplete(version, assignment);
    this.#wakeUp.ask();
  }

  async applyIncrement(version: AssignmentVersion, increment: AssignmentIncrement): Promise<'applied' | 'mismatch'> {
    const result = await this.#assignments.applyIncrement(version, increment);
    this.#wakeUp.ask();
    return result;
  }

  statuses(): readonly TaskStatus[] {
    return [...this.#statuses.values()];
  }

  onStatus(listener: (changed: readonly TaskStatus[]) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  setLease(expiresAtMs: number | undefined): void {
    this.#lease.set(expiresAtMs);
    this.#wakeUp.ask();
  }

  async run({ signal }: { signal: AbortSignal }): Promise<void> {
    using subscriptions = new DisposableStack();
    subscriptions.use(this.#options.engine.onChange(() => this.#wakeUp.ask()));
    subscriptions.use(this.#options.images.onChange(() => this.#wakeUp.ask()));
    while (!signal.aborted) {
      const nextAtMs = this.#passOrRetry();
      await rest(Math.min(this.#planningMs * REST_PER_PASS, LONGEST_REST_MS), signal);
      await this.#wakeUp.wait(nextAtMs === undefined ? undefined : nextAtMs - this.#options.clock(), signal);
    }
    // Stops go on without us in the shims; whatever else is under way ends soon.
    const running = [...this.#underWay.values()].filter(({ step }) => step.kind !== 'stopContainer');
    await Promise.all(running.map(({ done }) => done));
  }

  #plan(): Plan {
    const { engine, images, clock } = this.#options;
    const { assignment, epochs } = this.#assignments;
    const references = new Set(assignment.tasks.map((task) => task.container.image));
    return planSteps({
      assignment,
      epochs,
      containers: engine.list(),
      images: new Set([...references].filter((reference) => images.find(reference) !== undefined)),
      outcomes: this.#outcomes.outcomes,
      departed: this.#outcomes.departed(),
      failures: this.#failures,
      leaseExpiresAtMs: this.#lease.expiresAtMs,
      now: clock(),
    });
  }

  /** A pass that cannot write (the disk is full) has started no step; it is told and tried again. */
  #passOrRetry(): number | undefined {
    try {
      return this.#pass();
    } catch (error) {
      this.#options.log?.('error', `reconcile: ${errorText(error)}`);
      return this.#options.clock() + FIRST_RETRY_MS;
    }
  }

  /** Answers when the next one is due though nothing happens. */
  #pass(): number | undefined {
    const startedAtMs = performance.now();
    const plan = this.#plan();
    this.#planningMs = performance.now() - startedAtMs;
    this.#outcomes.write(plan);
    this.#takeStatuses(plan);
    for (const taskId of this.#failures.keys()) if (!this.#statuses.has(taskId)) this.#failures.delete(taskId);
    for (const step of plan.steps) if (this.#hasRoom(step)) this.#begin(step);
    return plan.nextAtMs;
  }

  /** False for now when the slot is busy or the bound is reached; the end of a step wakes the loop. */
  #hasRoom(step: Step): boolean {
    if (this.#underWay.has(step.slot)) return false;
    const isStop = step.kind === 'stopContainer';
    const alike = [...this.#underWay.values()].filter((other) => (other.step.kind === 'stopContainer') === isStop);
    return alike.length < (isStop ? MAX_STOPS : MAX_OTHER_STEPS);
  }

  #begin(step: Step): void {
    const taskId = step.kind === 'createContainer' ? step.task.id : step.taskId;
    const done = execute(this.#options, step)
      .then(
        () => void this.#failures.delete(taskId),
        (error: unknown) => this.#failed(taskId, step, error),
      )
      .finally(() => {
        this.#underWay.delete(step.slot);
        this.#wakeUp.ask();
      });
    this.#underWay.set(step.slot, { step, done });
  }

  #failed(taskId: string, step: Step, error: unknown): void {
    const attempts = (this.#failures.get(taskId)?.attempts ?? 0) + 1;
    const text =
      isBerthError(error) && error.remedy !== undefined ? `${error.message}. ${error.remedy}` : errorText(error);
    this.#failures.set(taskId, {
      kind: step.kind,
      code: isBerthError(error) ? error.code : 'internal',
      text,
      attempts,
      retryAtMs: this.#options.clock() + Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LONGEST_RETRY_MS),
    });
    this.#options.log?.('error', `${step.kind} of task ${taskId}: ${text}`);
  }

  /** Keeps the newest statuses, and tells those that say something new; what a listener failed to take is told again. */
  #takeStatuses(plan: Plan): void {
    const before = this.#statuses;
    const changed: TaskStatus[] = [];
    const after = new Map<string, TaskStatus>();
    for (const status of plan.statuses) {
      const known = before.get(status.taskId);
      if (known !== undefined && saysTheSame(known, status)) {
        after.set(status.taskId, known);
      } else {
        after.set(status.taskId, status);
        changed.push(status);
      }
    }
    this.#statuses = after;
    try {
      if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
    } catch (error) {
      this.#statuses = before;
      throw error;
    }
  }
}

/** Waits for one turn of the event loop at least, so that changes of the same moment are one pass. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await (ms < 1 ? setImmediate() : setTimeout(ms, undefined, { signal }).catch(() => {}));
}

/** True when two statuses of a task differ in their time at most. */
function saysTheSame(a: TaskStatus, b: TaskStatus): boolean {
  const keys = Object.keys({ ...a, ...b }) as (keyof TaskStatus)[];
  return keys.every((key) => key === 'observedAtMs' || a[key] === b[key]); // all of them are plain values
}
