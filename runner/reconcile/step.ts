import type { AssignedTask } from '#shared/model/task.ts';
import type { SlotKey } from './slot.ts';

/** What each kind of step works on. Adding a kind here asks for its executor in `execute.ts`. */
export interface StepArguments {
  readonly createContainer: { readonly task: AssignedTask };
  readonly startContainer: { readonly taskId: string; readonly containerId: string };
  readonly stopContainer: { readonly taskId: string; readonly containerId: string };
  readonly removeContainer: { readonly taskId: string; readonly containerId: string };
}
export type StepKind = keyof StepArguments;

/** One idempotent action. Steps of one slot never run at the same time. */
export type StepOf<Kind extends StepKind> = {
  [K in Kind]: { readonly kind: K; readonly slot: SlotKey } & StepArguments[K];
}[Kind];
export type Step = StepOf<StepKind>;

/** The longest pause before a failed step is tried again, in milliseconds. */
export const LONGEST_RETRY_MS = 60_000;

/** A step that failed, kept until one of the same task succeeds. */
export interface StepFailure {
  readonly kind: StepKind;
  /** `BerthError.code`, or `internal`. */
  readonly code: string;
  /** Message and remedy, for people. */
  readonly text: string;
  /** Failures in a row. */
  readonly attempts: number;
  readonly retryAtMs: number;
}

/** True while a failed step has to wait. A moment further away than any pause means that the clock was set back since. */
export function mustWait({ retryAtMs }: StepFailure, now: number): boolean {
  return retryAtMs > now && retryAtMs - now <= LONGEST_RETRY_MS;
}
