import type { RestartPolicy } from '#shared/model/service.ts';
import type { ContainerConfig } from '../../container/config.ts';
import type { ResourcesBody } from './create/resource-fields.ts';

/** Why an update does not go with what a container has already, in dockerd's words (moby container_unix.go). */
export function updateConflict(
  config: ContainerConfig,
  asked: ResourcesBody,
  restart: RestartPolicy | undefined,
): string | undefined {
  const isSet = (value: number | null | undefined): boolean => (value ?? 0) > 0;
  const conflict = 'Conflicting options';
  if (isSet(asked.NanoCpus) && isSet(config.cpuPeriodUs)) {
    return `${conflict}: Nano CPUs cannot be updated as CPU Period has already been set`;
  }
  if (isSet(asked.NanoCpus) && isSet(config.cpuQuotaUs)) {
    return `${conflict}: Nano CPUs cannot be updated as CPU Quota has already been set`;
  }
  if (isSet(asked.CpuPeriod) && isSet(config.nanoCpus)) {
    return `${conflict}: CPU Period cannot be updated as NanoCPUs has already been set`;
  }
  if (isSet(asked.CpuQuota) && isSet(config.nanoCpus)) {
    return `${conflict}: CPU Quota cannot be updated as NanoCPUs has already been set`;
  }
  const memory = asked.Memory ?? 0;
  const swap = config.memorySwapBytes === 0 ? config.memoryBytes * 2 : config.memorySwapBytes;
  if (memory !== 0 && memory > swap && !asked.MemorySwap) {
    return 'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time';
  }
  if (restart !== undefined && restart.kind !== 'no' && config.autoRemove === true) {
    return 'Restart policy cannot be updated because AutoRemove is enabled for the container';
  }
  return undefined;
}
