import { BerthError } from '#shared/errors.ts';
import type { RestartPolicy } from '#shared/model/service.ts';
import { changedFiles, cgroupFiles, type CgroupFile } from '../launcher/cgroup-limits.ts';
import { writeCgroupFiles } from '../os/cgroup-files.ts';
import { blockDevices } from './block-devices.ts';
import { containerConfig, type ContainerConfig } from './config.ts';
import { cgroupDirectory, type EngineContext } from './engine-context.ts';
import type { ResourceChange } from './resource-config.ts';
import { resourceSpec } from './resource-spec.ts';

/** What of a container can be changed after its creation, its name apart. */
export interface ContainerUpdate {
  readonly resources?: ResourceChange;
  readonly restart?: RestartPolicy;
}

/** Files whose limit an update may take away altogether. */
const liftable: readonly CgroupFile[] = [
  ['pids.max', 'max'],
  ['cpu.max', 'max 100000'],
  ['memory.swap.max', 'max'],
];

/**
 * Changes a container's limits and restart policy: first its config on disk, then, when it runs, its cgroup. When the
 * kernel refuses a value, both are as before. A runner that was killed in between finishes it at its start.
 *
 * @throws BerthError `container.removing`, `cgroup.write-failed`
 */
export async function updateContainer(context: EngineContext, id: string, update: ContainerUpdate): Promise<void> {
  const { config: before, state } = context.store.require(id);
  if (state === 'removing') {
    throw new BerthError('conflict', 'container.removing', `The container "${before.name}" is being removed`);
  }
  const changed = {
    ...before,
    ...update.resources,
    ...(update.restart === undefined ? {} : { restart: update.restart }),
  };
  const after = containerConfig.parse(changed);
  context.store.reconfigure(id, after);
  if (!context.live.has(id)) return;
  try {
    const files = changedFiles(await limitFiles(context, before), await limitFiles(context, after));
    await writeCgroupFiles(cgroupDirectory(context, id), files);
    context.reservations.set(id, after.cgroupParent, after.memoryReservationBytes);
  } catch (error) {
    context.store.reconfigure(id, before);
    throw error;
  }
}

/** Gives a running container the limits of its record, for an update that a crash of the runner cut off. */
export async function enforceLimits(context: EngineContext, id: string): Promise<void> {
  const files = await limitFiles(context, context.store.require(id).config);
  const lifted = liftable.filter(
    ([name]) => context.cgroup.files.includes(name) && !files.some((file) => file[0] === name),
  );
  const there = lifted.filter(([name]) => context.cgroup.controllers.includes(name.split('.')[0] ?? ''));
  await writeCgroupFiles(cgroupDirectory(context, id), [...there, ...files]);
}

async function limitFiles({ cgroup }: EngineContext, config: ContainerConfig): Promise<readonly CgroupFile[]> {
  const devices = await blockDevices(config, cgroup.controllers);
  return cgroupFiles(resourceSpec(config, cgroup.controllers, devices), cgroup.controllers, cgroup.files);
}
