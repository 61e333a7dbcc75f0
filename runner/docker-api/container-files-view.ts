import { existsSync } from 'node:fs';
import { BerthError, isBerthError } from '#shared/errors.ts';
import type { FileView } from '../archive/container-files.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { containerPaths } from '../container/paths.ts';
import type { RootFilesystem } from '../os/root-filesystem.ts';
import type { DockerApiContext } from './context.ts';
import { requireImage } from './docker-errors.ts';
import { mountedBinds } from './wanted-mounts.ts';

/** A container's root alone, whether it runs or not. */
export function rootOf(context: DockerApiContext, record: ContainerRecord): RootFilesystem {
  const { directory } = containerPaths(context.containersDirectory, record.id);
  const image = requireImage(context, record.config.imageId);
  return context.storage.root(directory, image.layerDirectories);
}

/** A container's files as its processes see them, or will. */
export function viewOf(context: DockerApiContext, record: ContainerRecord): FileView {
  if (record.state === 'running' && record.pid > 0) return { kind: 'process', pid: record.pid, cgroup: record.id };
  const paths = containerPaths(context.containersDirectory, record.id);
  const own = [
    { source: paths.resolvConf, destination: '/etc/resolv.conf', readonly: false },
    { source: paths.hostname, destination: '/etc/hostname', readonly: false },
    { source: paths.hosts, destination: '/etc/hosts', readonly: false },
  ].filter(({ source }) => existsSync(source)); // they are made by the first start
  const readonly = record.config.docker?.hostConfig['ReadonlyRootfs'] === true;
  return { kind: 'root', root: rootOf(context, record), binds: [...own, ...mountedBinds(context, record)], readonly };
}

/** A container's process may have ended before its record says so. */
const ENDING_MS = 10_000;

/**
 * What is asked of a container's files, and how they were seen; asked again by its root when its process ends just then.
 */
export async function seen<T>(
  context: DockerApiContext,
  record: ContainerRecord,
  ask: (view: FileView) => Promise<T>,
): Promise<{ readonly view: FileView; readonly result: T }> {
  const view = viewOf(context, record);
  try {
    return { view, result: await ask(view) };
  } catch (error) {
    if (!isBerthError(error) || error.code !== 'file.container-ended') throw error;
    await context.engine.wait(record.id, { signal: AbortSignal.timeout(ENDING_MS) });
    const later = viewOf(context, context.engine.find(record.id) ?? record);
    return { view: later, result: await ask(later) };
  }
}

/** Aborted, until it is disposed, when the container is to be removed or (`untilStart`) started, and when `signal` is. */
export interface ContainerWatch extends Disposable {
  readonly signal: AbortSignal;
}

/** A slow client must not keep what a removal takes away, nor change a root that a start has mounted. */
export function watchContainer(
  { engine }: Pick<DockerApiContext, 'engine'>,
  id: string,
  options: { readonly signal: AbortSignal; readonly untilStart: boolean },
): ContainerWatch {
  const changed = new AbortController();
  const listening = engine.onChange((which, record) => {
    if (which !== id) return;
    const state = record?.state ?? 'removing';
    if (state !== 'removing' && !(state === 'starting' && options.untilStart)) return;
    const what = state === 'removing' ? 'removed' : 'started';
    const message = `the container ${id.slice(0, 12)} is being ${what} meanwhile`;
    changed.abort(new BerthError('conflict', 'docker.container-changed', message));
  });
  const signal = AbortSignal.any([options.signal, changed.signal]);
  return { signal, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}
