import type { ContainerRecord, ContainerState } from '../../container/engine.ts';
import { humanDuration } from './human-duration.ts';

/** Docker's word for a state (`State.Status`). */
const stateWord: Readonly<Record<ContainerState, string>> = {
  created: 'created',
  starting: 'created',
  running: 'running',
  restarting: 'restarting',
  exited: 'exited',
  removing: 'removing',
};

/** The same of a container, which may be paused while it runs. */
export function statusWord({ state, paused }: Pick<ContainerRecord, 'state' | 'paused'>): string {
  return paused ? 'paused' : stateWord[state];
}

/** The time that Go shows for none. */
export const zeroTime = '0001-01-01T00:00:00Z';

/** A Unix time in milliseconds as the API tells it. */
export function apiTime(ms: number | undefined): string {
  return ms === undefined ? zeroTime : new Date(ms).toISOString();
}

/** The STATUS of `docker ps` (moby container/state.go, `String`). */
export function statusText(record: ContainerRecord, now: number): string {
  const { state, exitCode = 0, startedAtMs, finishedAtMs } = record;
  switch (state) {
    case 'running': {
      const up = `Up ${humanDuration(now - (startedAtMs ?? now))}`;
      if (record.paused) return `${up} (Paused)`;
      return record.health === 'none' ? up : `${up} (${healthWord(record.health)})`;
    }
    case 'restarting':
      return `Restarting (${exitCode}) ${humanDuration(now - (finishedAtMs ?? now))} ago`;
    case 'exited':
      return `Exited (${exitCode}) ${humanDuration(now - (finishedAtMs ?? now))} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'created':
    case 'starting':
      return 'Created';
    default:
      return state satisfies never;
  }
}

function healthWord(health: Exclude<ContainerRecord['health'], 'none'>): string {
  return health === 'starting' ? 'health: starting' : health;
}
