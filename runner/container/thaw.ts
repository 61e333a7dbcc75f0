import { thawCgroup } from '../os/freezer.ts';
import { cgroupDirectory, type EngineContext } from './engine-context.ts';

/** Lets a paused container go on, as for a signal that must reach it; nothing when it is not paused. */
export async function thaw(context: Pick<EngineContext, 'cgroup' | 'store'>, id: string): Promise<void> {
  if (context.store.get(id)?.paused !== true) return;
  await thawCgroup(cgroupDirectory(context, id));
  if (context.store.get(id)?.paused === true) context.store.update(id, { paused: false });
}
