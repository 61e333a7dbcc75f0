import { readFile, writeFile } from 'node:fs/promises';
import { BerthError, errorText } from '#shared/errors.ts';

/**
 * Sets a value below /proc/sys/net of this process's network namespace unless it already has it.
 *
 * @throws BerthError `network.sysctl-failed`
 */
export async function setNetworkSysctl(key: readonly string[], value: string): Promise<void> {
  const path = `/proc/sys/net/${key.join('/')}`;
  try {
    if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value);
  } catch (cause) {
    throw new BerthError(
      'unavailable',
      'network.sysctl-failed',
      `network: set ${path} to ${value}: ${errorText(cause)}`,
      { cause, remedy: `Run the runner as root, or set it yourself: sysctl net.${key.join('.')}=${value}.` },
    );
  }
}
