import { readFile } from 'node:fs/promises';
import { availableParallelism, hostname, release, totalmem } from 'node:os';
import { BerthError } from '#shared/errors.ts';
import type { HostFacts } from '#shared/model/host.ts';
import { BERTH_VERSION } from '#shared/version.ts';

/**
 * The machine's architecture in OCI's words.
 *
 * @throws BerthError `host.unsupported` on any other than amd64 and arm64
 */
export function hostArchitecture(): HostFacts['architecture'] {
  if (process.arch === 'x64') return 'amd64';
  if (process.arch === 'arm64') return 'arm64';
  throw new BerthError(
    'unsupported',
    'host.unsupported',
    `This machine's architecture ${process.arch} is not supported`,
    {
      remedy: 'Run the runner on an amd64 or arm64 machine.',
    },
  );
}

/**
 * What this machine is.
 *
 * @param controllers the cgroup controllers in force (`CgroupTree.controllers`)
 */
export async function hostFacts(controllers: readonly string[]): Promise<HostFacts> {
  return {
    hostname: hostname(),
    os: prettyName(await readFile('/etc/os-release', 'utf8').catch(() => '')),
    kernel: release(),
    architecture: hostArchitecture(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    controllers: [...controllers],
    runnerVersion: BERTH_VERSION,
  };
}

/** PRETTY_NAME of an os-release(5) text, `Linux` without one. */
export function prettyName(osRelease: string): string {
  return /^PRETTY_NAME=["']?(.*?)["']?$/m.exec(osRelease)?.[1] ?? 'Linux';
}
