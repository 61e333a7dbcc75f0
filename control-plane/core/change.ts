import type { ContainerSpec, OnDisconnect } from '#shared/model/service.ts';
import type { HostRecord, ServiceRecord, TaskRecord } from './cluster-state.ts';

/** A slot of a service, by the names that people know and the id that rows carry. */
export interface SlotName {
  readonly stack: string;
  readonly service: string;
  readonly serviceId: string;
  readonly slot: number;
}

/** A task to be made; its id is given by the write. */
export interface NewTask extends SlotName {
  readonly epoch: number;
  readonly attempt: number;
  readonly hostId: string;
  readonly container: ContainerSpec;
  readonly onDisconnect: OnDisconnect;
}

/** One thing that convergence changes; `reason` and `rule` become its event's text and cause. */
export type Change =
  /** Its lease has ended. */
  | { readonly kind: 'host-down'; readonly host: HostRecord }
  | { readonly kind: 'task-created'; readonly task: NewTask; readonly hostName: string; readonly reason: string }
  /** Not desired any more: its host stops it, or it has ended already. */
  | { readonly kind: 'task-retired'; readonly task: TaskRecord; readonly reason: string }
  /** Its host is gone. */
  | { readonly kind: 'task-orphaned'; readonly task: TaskRecord; readonly reason: string }
  /** Its service's `on_disconnect` changed, which needs no new container. */
  | { readonly kind: 'task-amended'; readonly task: TaskRecord; readonly onDisconnect: OnDisconnect };

/** A slot that has to wait for a host that qualifies. */
export interface PendingSlot extends SlotName {
  readonly reason: string;
}

/** What convergence decided. */
export interface Convergence {
  readonly changes: readonly Change[];
  /** All slots that wait now; those not named wait no longer. */
  readonly pending: readonly PendingSlot[];
  /** When it has to be decided again though nothing happens, in Unix milliseconds. */
  readonly nextAtMs: number | undefined;
}

export function slotName(service: ServiceRecord, slot: number): SlotName {
  return { stack: service.stack, service: service.spec.name, serviceId: service.id, slot };
}
