import type { SecurityFacts } from '../os/security-facts.ts';
import type { IdMappings } from '../os/subordinate-ids.ts';
import type { Runtimes } from './runtimes.ts';

/** What the runner does for containers that say nothing of it, and with what. */
export interface IsolationDefaults {
  readonly facts: SecurityFacts;
  /** The ids of containers with a user namespace of their own. */
  readonly idMappings: IdMappings;
  /** Whether that is every container. */
  readonly remapsAll: boolean;
  readonly initPath: string;
  /** Whether every container runs under an init. */
  readonly init: boolean;
  readonly runtimes: Runtimes;
}
