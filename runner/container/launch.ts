import { BerthError } from '#shared/errors.ts';
import { removeExitReport } from '../launcher/exit-report.ts';
import type { Shim } from '../launcher/launcher.ts';
import { removeCgroup } from '../os/cgroup.ts';
import { blockDevices } from './block-devices.ts';
import { prepareMounts } from './container-volumes.ts';
import { cgroupDirectory, cgroupPath, pathsOf, type EngineContext } from './engine-context.ts';
import { isolationContext } from './isolation.ts';
import { joinNetworks } from './join-networks.ts';
import { joinedNamespaces } from './joined-namespaces.ts';
import { logPolicy } from './log-policy.ts';
import { makeContainerDirectories } from './paths.ts';
import { discardedLimits } from './resource-spec.ts';
import { mountSharedMemory } from './shared-memory.ts';
import { runtimeProgram } from './runtimes.ts';
import { runtimeSpec } from './spec.ts';
import type { StoredContainer } from './state.ts';

/**
 * Gets a container what it needs (host ports, an address, its files) and starts its process. What a failure leaves is
 * taken away by the caller's settling, as after an exit.
 *
 * @throws BerthError `image.unknown`, `port.taken`, and what `Launcher.launch` throws
 */
export async function launchContainer(context: EngineContext, record: StoredContainer): Promise<Shim> {
  const { config, id } = record;
  const paths = pathsOf(context, id);
  const image = context.images.find(config.imageId);
  if (image === undefined) throw unknownImage(config.image);
  const runtime = runtimeProgram(context.isolation.runtimes, config.runtime);
  using joined = joinedNamespaces(context, config);
  const isolation = isolationContext(context, record, joined);
  for (const limit of discardedLimits(config, context.cgroup.controllers)) {
    context.log(
      'warn',
      `Container "${config.name}": its ${limit} limit is not enforced, this host has no ${limit} controller`,
    );
  }
  makeContainerDirectories(paths);
  const root = await context.storage.prepare(paths.directory, image.layerDirectories);
  // A launch that a crash of the runner cut off may have come to something after all.
  await removeCgroup(cgroupDirectory(context, id));
  if (config.ipcMode === 'shareable') await mountSharedMemory(paths.shm, config.shmBytes);
  const { links, namespaces, files, environment } = await joinNetworks(context, record);
  const [mounts] = await Promise.all([prepareMounts(context, config), context.store.synced()]);
  // Not before the start is on disk: until then a loss of power leaves the record of the run that it tells of.
  removeExitReport(paths.state);
  // Awaited here: what is joined is held until then.
  return await context.launcher.launch({
    containerId: id,
    ...(runtime === undefined ? {} : { runtime: { ...runtime, capabilities: isolation.capabilities } }),
    spec: runtimeSpec(
      { ...config, environment: [...environment, ...config.environment] },
      {
        containerId: id,
        files,
        mounts,
        networkNamespaces: joined.network === undefined ? namespaces : [{ type: 'network', path: joined.network }],
        cgroupsPath: cgroupPath(context, id),
        controllers: context.cgroup.controllers,
        blockDevices: await blockDevices(config, context.cgroup.controllers),
        architecture: context.architecture,
        kernel: context.kernel,
        hostMaskedPaths: context.hostMaskedPaths,
        isolation,
      },
    ),
    root,
    user: config.user,
    additionalGroups: config.additionalGroups,
    links,
    stateDirectory: paths.state,
    stdin: config.stdin,
    log: logPolicy(id, config),
    attachments: context.attachments.count(id),
  });
}

export function unknownImage(reference: string): BerthError {
  return new BerthError('not-found', 'image.unknown', `There is no image "${reference}" on this host`, {
    remedy: 'Load it with "berth image load", or list what is there with "berth image ls".',
  });
}

/** The exit code that a shell, and so Docker, gives for a start that failed. */
export function startFailureExitCode(error: unknown): number {
  const code = error instanceof BerthError ? error.code : '';
  if (code === 'launch.command-not-found') return 127;
  if (code === 'launch.command-not-executable') return 126;
  return 128;
}
