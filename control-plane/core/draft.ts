import { isTerminal } from '#shared/model/task.ts';
import { canonicalJson } from '#shared/canonical-json.ts';
import { slotName, type Change, type Convergence, type PendingSlot } from './change.ts';
import type { ClusterState, HostRecord, ServiceRecord, TaskRecord } from './cluster-state.ts';
import { Scheduler } from './schedule.ts';

/** A task while convergence decides: stored, or made in this run (without an id yet). */
export type DraftTask = TaskRecord;

function slotKey(serviceId: string, slot: number): string {
  return `${serviceId}/${slot}`;
}

/** A convergence in the making: the state with the changes decided so far, each recorded as it is made. */
export class Draft {
  readonly state: ClusterState;
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly services: ReadonlyMap<string, ServiceRecord>;
  readonly scheduler: Scheduler;
  readonly #tasks = new Map<string, Map<string, DraftTask>>();
  readonly #epochs: Map<string, number>;
  readonly #specTexts = new Map<unknown, string>();
  readonly #changes: Change[] = [];
  readonly #pending: PendingSlot[] = [];
  #nextAtMs: number | undefined;

  constructor(state: ClusterState) {
    this.state = state;
    this.hosts = new Map(state.hosts.map((host) => [host.id, host]));
    this.services = new Map(state.services.map((service) => [service.id, service]));
    this.scheduler = new Scheduler(state.hosts, state.tasks);
    this.#epochs = new Map(state.slots.map((slot) => [slotKey(slot.serviceId, slot.slot), slot.epoch]));
    for (const task of state.tasks) this.#put(task);
  }

  #put(task: DraftTask): void {
    const key = slotKey(task.serviceId, task.slot);
    const slot = this.#tasks.get(key);
    if (slot === undefined) this.#tasks.set(key, new Map([[task.id, task]]));
    else slot.set(task.id, task);
  }

  /** The live tasks of a slot: at most one desired, and those that are still to stop. */
  slot(serviceId: string, slot: number): { desired: DraftTask | undefined; stopping: boolean } {
    const tasks = [...(this.#tasks.get(slotKey(serviceId, slot))?.values() ?? [])];
    return {
      desired: tasks.find((task) => task.desired),
      stopping: tasks.some((task) => !task.desired && !isTerminal(task.state)),
    };
  }

  /** True when the slot is one that its service wants. */
  isWanted(task: Pick<DraftTask, 'serviceId' | 'slot'>): boolean {
    return task.slot <= (this.services.get(task.serviceId)?.spec.replicas ?? 0);
  }

  /** True when the task's container is not what its service says now. */
  isOutdated(task: DraftTask, service: ServiceRecord): boolean {
    return this.#specText(task.container) !== this.#specText(service.spec.container);
  }

  #specText(spec: unknown): string {
    const known = this.#specTexts.get(spec);
    if (known !== undefined) return known;
    const text = canonicalJson(spec);
    this.#specTexts.set(spec, text);
    return text;
  }

  hostDown(host: HostRecord): void {
    this.#changes.push({ kind: 'host-down', host });
  }

  retire(task: DraftTask, reason: string): void {
    this.#changes.push({ kind: 'task-retired', task, reason });
    this.#put({ ...task, desired: false });
  }

  orphan(task: DraftTask, reason: string): void {
    this.#changes.push({ kind: 'task-orphaned', task, reason });
    this.#put({ ...task, desired: false, state: 'orphaned' });
  }

  amend(task: DraftTask, service: ServiceRecord): void {
    this.#changes.push({ kind: 'task-amended', task, onDisconnect: service.spec.onDisconnect });
  }

  /** Gives the slot a new task on the best host, or notes why it has to wait; true when it was placed. */
  fill(
    service: ServiceRecord,
    slot: number,
    attempt: number,
    replaced: DraftTask | undefined,
    reason: string,
  ): boolean {
    const name = slotName(service, slot);
    const { container, onDisconnect } = service.spec;
    const placement = this.scheduler.place({
      serviceId: service.id,
      container,
      avoidHostId: replaced?.state === 'rejected' ? replaced.hostId : undefined,
    });
    if (placement.kind === 'unplaceable') {
      this.pend(service, slot, placement.reason);
      return false;
    }
    if (replaced !== undefined) this.retire(replaced, 'replaced by a new task');
    const epoch = (this.#epochs.get(slotKey(service.id, slot)) ?? 0) + 1;
    this.#epochs.set(slotKey(service.id, slot), epoch);
    const task = { ...name, epoch, attempt, hostId: placement.hostId, container, onDisconnect };
    this.#changes.push({ kind: 'task-created', task, hostName: placement.hostName, reason });
    this.#put({ ...task, id: `new ${epoch}`, state: 'assigned', health: 'none', desired: true });
    return true;
  }

  pend(service: ServiceRecord, slot: number, reason: string): void {
    this.#pending.push({ ...slotName(service, slot), reason });
  }

  /** Convergence has to run again at this time. */
  wakeAt(atMs: number): void {
    this.#nextAtMs = Math.min(this.#nextAtMs ?? atMs, atMs);
  }

  result(): Convergence {
    return { changes: this.#changes, pending: this.#pending, nextAtMs: this.#nextAtMs };
  }
}
