import type { ExecSession, Shim } from '../launcher/launcher.ts';

interface Waiting {
  readonly resolve: (session: ExecSession) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Who wants to be attached to a container's next run from its first byte. Invariant: each waits until a run has begun,
 * has failed to begin, the container is removed, or its signal aborts; a session that nobody waits for is closed.
 */
export class Attachments {
  readonly #waiting = new Map<string, Set<Waiting>>();

  /** So many sessions should be attached by the launch itself. */
  count(id: string): number {
    return this.#waiting.get(id)?.size ?? 0;
  }

  async wait(id: string, signal: AbortSignal | undefined): Promise<ExecSession> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<ExecSession>();
    const own: Waiting = { resolve, reject };
    const ofContainer = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, ofContainer.add(own));
    const abort = (): void => {
      ofContainer.delete(own);
      if (ofContainer.size === 0 && this.#waiting.get(id) === ofContainer) this.#waiting.delete(id);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** A run has begun: each who waits gets a session of the launch's, or one attached now. */
  begun(id: string, shim: Shim): void {
    const sessions = [...shim.attached];
    for (const one of this.#take(id)) {
      const session = sessions.shift();
      if (session === undefined) shim.attach().then(one.resolve, one.reject);
      else one.resolve(session);
    }
    for (const session of sessions) void session[Symbol.asyncDispose]();
  }

  /** The run that was waited for will not begin. */
  failed(id: string, error: unknown): void {
    for (const one of this.#take(id)) one.reject(error);
  }

  #take(id: string): Iterable<Waiting> {
    const ofContainer = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    return ofContainer;
  }
}
