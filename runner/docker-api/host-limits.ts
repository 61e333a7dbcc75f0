import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerApiContext } from './context.ts';
import type { HostLimits } from './translate/create/check-limits.ts';

/** What this host can limit now: processors may have been taken off line, or been given to another cgroup. */
export function hostLimits({ view, cgroupDirectory }: Pick<DockerApiContext, 'view' | 'cgroupDirectory'>): HostLimits {
  const { controllers, cpus } = view().facts;
  const has = (controller: string, ...files: readonly string[]): boolean =>
    controllers.includes(controller) && files.some((file) => existsSync(join(cgroupDirectory, file)));
  const list = (file: string): string =>
    has('cpuset', file) ? readFileSync(join(cgroupDirectory, file), 'utf8').trim() : '';
  return {
    controllers,
    cpus,
    swap: has('memory', 'memory.swap.max'),
    blockWeight: has('io', 'io.weight', 'io.bfq.weight'),
    cpusetCpus: list('cpuset.cpus.effective'),
    cpusetMems: list('cpuset.mems.effective'),
  };
}
