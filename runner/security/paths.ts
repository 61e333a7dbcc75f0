/**
 * Paths that are hidden in a container: a file is covered by /dev/null, a directory by an empty read-only tmpfs. They
 * tell of the host or let it be attacked through timing (moby oci/defaults.go). A path that is not there is no error.
 */
const maskedEverywhere: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** Directory of a CPU's thermal counters, which let a container watch what others compute (moby GHSA-6fw5-f8r9-fgfm). */
export function thermalThrottlePath(cpu: number): string {
  return `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`;
}

/** @param hostPaths what is masked beside the paths of every host: the thermal counters that this one has */
export function maskedPaths(hostPaths: readonly string[]): readonly string[] {
  return [...maskedEverywhere, ...hostPaths];
}

/** Paths that a container may read but not write, whatever its capabilities (moby oci/defaults.go). */
export const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
