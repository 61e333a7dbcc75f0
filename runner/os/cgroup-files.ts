import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, errorText } from '#shared/errors.ts';

/** Files whose content is one line a device, of which a write changes only the line of its own device. */
const byDevice = ['io.max', 'io.weight', 'io.bfq.weight'];

/**
 * Writes files of a cgroup in their order. When one is refused, those before it get back what they had.
 *
 * @throws BerthError `cgroup.write-failed` naming file, value and the kernel's reason
 */
export async function writeCgroupFiles(
  directory: string,
  files: readonly (readonly [name: string, value: string])[],
): Promise<void> {
  const undo: { path: string; values: readonly string[] }[] = [];
  for (const [name, value] of files) {
    const path = join(directory, name);
    try {
      const before = await readFile(path, 'utf8');
      await writeFile(path, value, { flag: 'r+' });
      undo.unshift({ path, values: previousValues(name, before, value) });
    } catch (cause) {
      for (const one of undo) {
        for (const text of one.values) await writeFile(one.path, text, { flag: 'r+' }).catch(() => undefined);
      }
      const text = `write "${value.trim()}" to ${path}: ${errorText(cause)}`;
      throw new BerthError('internal', 'cgroup.write-failed', text, { cause });
    }
  }
}

/** What is written to a file so that it is again as it was. */
function previousValues(name: string, before: string, value: string): readonly string[] {
  if (!byDevice.includes(name)) return [before.trim() === '' ? '\n' : before.trim()];
  const [device = ''] = value.split(' ');
  const line = before.split('\n').find((one) => one.startsWith(`${device} `));
  if (line !== undefined) return [line];
  return [name === 'io.max' ? `${device} rbps=max wbps=max riops=max wiops=max` : `${device} default`];
}
