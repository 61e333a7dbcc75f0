import type { EventCause } from '#shared/api/events.ts';

export type { EventCause } from '#shared/api/events.ts';

/** An event before it is appended: its id and time are given by the write that it is part of. */
export interface NewEvent {
  /** `<object>.<what happened>`: `stack.applied`, `task.running`. */
  readonly kind: string;
  /** Names of what it is about; a `stack` member makes it one of that stack's events. */
  readonly subject: Readonly<Record<string, string>>;
  readonly message: string;
  readonly cause: EventCause;
}
