import type { ChildProcess } from 'node:child_process';
import { BerthError } from '#shared/errors.ts';

/**
 * The process that `spawn` has just given. When there was no descriptor left for its pipes (EMFILE, ENFILE), Node gives
 * one without streams, whose `error` event ends this program if nobody listens; here that is an error like others.
 *
 * @throws BerthError `process.not-started`
 */
export function startedProcess<Child extends ChildProcess>(child: Child): Child {
  const stdio: readonly unknown[] | undefined = child.stdio;
  if (stdio !== undefined) return child;
  child.on('error', () => {});
  throw new BerthError('unavailable', 'process.not-started', `start ${child.spawnfile}: too many open files`, {
    remedy: 'Raise the limit of open files of the runner (systemd: LimitNOFILE=), or of the host (sysctl fs.file-max).',
  });
}
