import type { ContainerConfig } from '../../../container/config.ts';
import type { ResourceConfig } from '../../../container/resource-config.ts';
import type { HostConfigBody } from '../create-request.ts';

/** What a creation says of limits. */
export function resourcesOf(host: HostConfigBody): Partial<ResourceConfig> {
  return {
    memoryBytes: host.Memory ?? 0,
    pidsLimit: Math.max(0, host.PidsLimit ?? 0),
    rlimits: (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ type: Name, soft: Soft, hard: Hard })),
  };
}

/** The same as inspect tells it. */
export function resourcesDocument(config: ContainerConfig): Readonly<Record<string, unknown>> {
  return { Memory: config.memoryBytes, PidsLimit: config.pidsLimit === 0 ? null : config.pidsLimit };
}

/** dockerd's warnings for limits that this host cannot enforce. */
export function discardWarnings(config: ContainerConfig, controllers: readonly string[]): readonly string[] {
  const warnings: string[] = [];
  const tail = 'kernel does not support';
  if (config.memoryBytes > 0 && !controllers.includes('memory')) {
    warnings.push(`Your ${tail} memory limit capabilities or the cgroup is not mounted. Limitation discarded.`);
  }
  if (config.pidsLimit > 0 && !controllers.includes('pids')) {
    warnings.push(`Your ${tail} pids limit capabilities or the cgroup is not mounted. PIDs limit discarded.`);
  }
  return warnings;
}
