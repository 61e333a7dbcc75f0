import { lstat, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '#shared/errors.ts';
import { startFiles } from '../archive/files-program.ts';
import { removeTree } from '../os/files.ts';

/**
 * Whether overlayfs works with its upper directory below `parent`: by a mount in a mount namespace of its own, in which a
 * file of the lower layer is removed and a directory made anew.
 *
 * @returns why not; undefined: it does
 */
export async function overlayFault(binary: string, parent: string): Promise<string | undefined> {
  const own = await mkdtemp(join(parent, 'probe-'));
  const at = (name: string): string => join(own, name);
  try {
    for (const name of ['lower/directory', 'upper', 'work']) await mkdir(at(name), { recursive: true });
    await writeFile(at('lower/file'), 'lower');
    const view = ['overlay', at('upper'), at('work'), 'rw', '1', at('lower')];
    using run = startFiles(binary, [...view, '--', 'probe', 'file', 'directory'], { input: 'ignore' });
    run.output.resume();
    await run.ended;
    const hidden = await lstat(at('upper/file'));
    return hidden.isCharacterDevice() && hidden.rdev === 0 ? undefined : 'a removed file was not hidden';
  } catch (error) {
    return errorText(error);
  } finally {
    await removeTree(own);
  }
}
