import type { ContainerRecord } from './engine.ts';
import type { ContainerStore } from './state.ts';

/** The exit code of its run under way, else of its last one; of a container that is removed meanwhile, what it had. */
export async function waitForEnd(
  store: ContainerStore,
  id: string,
  { signal }: { readonly signal?: AbortSignal },
): Promise<number> {
  const ended = (record: ContainerRecord): boolean => record.state !== 'running' && record.state !== 'starting';
  let last: ContainerRecord = store.require(id);
  if (ended(last)) return last.exitCode ?? 0;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const abort = (): void => reject(signal?.reason as Error);
  using _ = store.onChange((changed, record) => {
    if (changed !== id) return;
    last = record ?? last;
    if (record === undefined || (ended(record) && record.state !== 'removing')) resolve(last.exitCode ?? 0);
  });
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
