import { BerthError } from '#shared/errors.ts';
import { isErrno } from '../os/files.ts';
import { freezeCgroup } from '../os/freezer.ts';
import { notRunning } from './ending.ts';
import { cgroupDirectory, type EngineContext } from './engine-context.ts';
import { markPause } from './momentary-pause.ts';
import type { StoredContainer } from './state.ts';
import { thaw } from './thaw.ts';

/*
 * A container is paused when its cgroup is frozen: the kernel's word is the truth, which a runner that comes back reads
 * again, and the record only repeats it. Only what was paused for a moment (momentary-pause.ts) goes on then.
 */

/** @throws BerthError `container.not-running`, `container.paused`, `cgroup.not-frozen` */
export async function pauseContainer(context: EngineContext, id: string, momentary: boolean): Promise<void> {
  const record = context.store.require(id);
  const entry = context.live.get(id);
  if (entry === undefined) throw notRunning(record);
  if (record.paused) throw paused(record, 'is already paused');
  // A check under way would only time out; a new monitor begins when it goes on.
  entry.health?.[Symbol.dispose]();
  entry.health = undefined;
  await markPause(context, id, momentary);
  await freezeCgroup(cgroupDirectory(context, id)).catch((error: unknown) => {
    throw isErrno(error, 'ENOENT', 'ENODEV') ? notRunning(record) : error; // it has ended just now
  });
  context.store.update(id, { paused: true });
}

/** @throws BerthError `container.not-paused` */
export async function unpauseContainer(context: EngineContext, id: string): Promise<void> {
  const record = context.store.require(id);
  if (!record.paused) {
    throw new BerthError('conflict', 'container.not-paused', `The container "${record.config.name}" is not paused`);
  }
  await thaw(context, id);
  await markPause(context, id, false);
}

export function paused({ config }: StoredContainer, why = 'is paused'): BerthError {
  return new BerthError('conflict', 'container.paused', `The container "${config.name}" ${why}`, {
    remedy: 'Unpause it first.',
  });
}
