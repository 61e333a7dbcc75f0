import type { HostImage, HostState } from '#shared/model/host.ts';
import type { ContainerSpec, OnDisconnect, ServiceSpec } from '#shared/model/service.ts';
import type { HealthState, TaskState } from '#shared/model/task.ts';

/** A host as convergence and the scheduler see it. */
export interface HostRecord {
  readonly id: string;
  readonly name: string;
  readonly state: HostState;
  /** When it became connected or stopped being so, or when it was removed. */
  readonly changedAtMs: number;
  readonly removed: boolean;
  readonly images: readonly Pick<HostImage, 'id' | 'references'>[];
}

export interface ServiceRecord {
  readonly id: string;
  readonly stack: string;
  readonly spec: ServiceSpec;
}

/** A task that is desired or has not ended. */
export interface TaskRecord {
  readonly id: string;
  readonly stack: string;
  readonly service: string;
  readonly serviceId: string;
  readonly slot: number;
  readonly epoch: number;
  /** 1 for a slot's first try; one more for each replacement of a task that ended too soon. */
  readonly attempt: number;
  readonly hostId: string;
  readonly container: ContainerSpec;
  readonly onDisconnect: OnDisconnect;
  readonly state: TaskState;
  readonly health: HealthState;
  readonly desired: boolean;
  /** When it was first known to be running, by the control plane's clock. */
  readonly runningAtMs?: number | undefined;
  /** When it was known to have ended, by the control plane's clock. */
  readonly endedAtMs?: number | undefined;
}

/** What stays known of a slot while its service exists. */
export interface SlotRecord {
  readonly serviceId: string;
  readonly slot: number;
  /** The newest epoch that was given out for it. */
  readonly epoch: number;
}

/** All that convergence decides upon. */
export interface ClusterState {
  readonly hosts: readonly HostRecord[];
  readonly services: readonly ServiceRecord[];
  readonly tasks: readonly TaskRecord[];
  readonly slots: readonly SlotRecord[];
  readonly nowMs: number;
}
