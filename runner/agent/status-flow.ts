import type { TaskState, TaskStatus } from '#shared/model/task.ts';

/** How long a state that is on its way to another may wait to be told: mostly the next one has come by then. */
const PASSING_MS = 50;
/** After a batch the next waits so long, so that what happens in a burst is told, stored and acted upon together. */
const BETWEEN_BATCHES_MS = 20;

const passing: ReadonlySet<TaskState> = new Set<TaskState>(['assigned', 'preparing', 'starting']);

/**
 * Gathers what changed before it is put on disk and sent: a batch costs this host three syncs of its disk, and the
 * control plane a write and a convergence. Invariants: everything is told within PASSING_MS; what is no passing state is
 * told at once unless a batch was told less than BETWEEN_BATCHES_MS ago. Nothing is lost with this memory: a runner that
 * starts tells every status anew.
 */
export class StatusFlow implements Disposable {
  readonly #tell: (changed: readonly TaskStatus[]) => void;
  #waiting: TaskStatus[] = [];
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = Infinity;
  #toldAtMs = -Infinity;

  constructor(tell: (changed: readonly TaskStatus[]) => void) {
    this.#tell = tell;
  }

  add(changed: readonly TaskStatus[]): void {
    this.#waiting.push(...changed);
    const now = performance.now();
    const isPassing = changed.every((status) => passing.has(status.state));
    const dueAtMs = isPassing ? now + PASSING_MS : Math.max(now, this.#toldAtMs + BETWEEN_BATCHES_MS);
    if (dueAtMs <= now) this.flush();
    else if (dueAtMs < this.#dueAtMs) this.#wait(dueAtMs, dueAtMs - now);
  }

  /** Tells what waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#dueAtMs = Infinity;
    if (this.#waiting.length === 0) return;
    const told = this.#waiting;
    this.#waiting = [];
    this.#toldAtMs = performance.now();
    this.#tell(told);
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  #wait(dueAtMs: number, ms: number): void {
    clearTimeout(this.#timer);
    this.#dueAtMs = dueAtMs;
    this.#timer = setTimeout(() => this.flush(), ms);
  }
}
