import type { ChildProcess } from 'node:child_process';

/** How a child ended, as messages say it: `status 0`, `signal SIGKILL`. Rejects when it could not be started. */
export function processEnd(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? `status ${code}` : `signal ${signal}`));
  });
}
