import type { RestartPolicy } from '#shared/model/service.ts';

/** What is known when a container has ended. Times are Unix milliseconds. */
export interface EndedRun {
  readonly policy: RestartPolicy;
  /** Somebody asked for it to be stopped, and nobody has asked for a start since. */
  readonly stopped: boolean;
  readonly exitCode: number;
  /** Restarts by policy since the last explicit start. */
  readonly restarts: number;
  /** How long it ran; 0 when it did not start. */
  readonly ranMs: number;
  /** The pause before this run, undefined when it was started explicitly. */
  readonly lastBackoffMs: number | undefined;
  /** It ended because the host did, which is no failure of its own. */
  readonly withHost?: boolean;
}

export type RestartDecision = { readonly kind: 'stay' } | { readonly kind: 'restart'; readonly backoffMs: number };

const firstBackoffMs = 100;

/** No pause before a restart is longer. Milliseconds. */
export const longestBackoffMs = 60_000;

const steadyRunMs = 10_000;

/**
 * Whether a container that ended is started again, and after which pause (moby restartmanager): 100 ms, doubled by each
 * further restart up to a minute, 100 ms again after a run of ten seconds.
 */
export function decideRestart(run: EndedRun): RestartDecision {
  if (run.stopped || !policyRestarts(run)) return { kind: 'stay' };
  const last = run.ranMs >= steadyRunMs ? undefined : run.lastBackoffMs;
  const backoffMs =
    last === undefined ? firstBackoffMs : Math.min(Math.max(last, firstBackoffMs / 2) * 2, longestBackoffMs);
  return { kind: 'restart', backoffMs };
}

function policyRestarts({ policy, exitCode, restarts, withHost }: EndedRun): boolean {
  switch (policy.kind) {
    case 'no':
      return false;
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && withHost !== true && (policy.maxRetries === undefined || restarts < policy.maxRetries);
    default:
      throw policy satisfies never;
  }
}

/**
 * True when the start of a runner starts this stopped container: `always` returns even after a manual stop, as Docker
 * does, but for a task's container, whose stop the control plane decided; a container that was never started stays.
 */
export function returnsWithRunner(container: {
  readonly policy: RestartPolicy;
  readonly ofTask: boolean;
  readonly everStarted: boolean;
}): boolean {
  return container.policy.kind === 'always' && container.everStarted && !container.ofTask;
}
