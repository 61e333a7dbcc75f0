import { BerthError } from '#shared/errors.ts';
import { signalNumber } from '../../../container/signals.ts';
import type { ConfigBody } from '../create-request.ts';

/**
 * Refuses what a client writes wrongly; what an image says is taken as it is (moby daemon/container.go,
 * `validateContainerConfig`).
 *
 * @throws BerthError `signal.unknown`, `docker.working-directory` with dockerd's texts
 */
export function checkProcess({ StopSignal: signal, WorkingDir: directory }: ConfigBody): void {
  if (directory && !directory.startsWith('/')) {
    const text = `the working directory '${directory.slice(0, 160)}' is invalid, it needs to be an absolute path`;
    throw new BerthError('invalid', 'docker.working-directory', text);
  }
  if (signal) signalNumber(signal);
}
