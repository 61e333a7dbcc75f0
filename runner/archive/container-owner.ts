import { buffer } from 'node:stream/consumers';
import { BerthError } from '#shared/errors.ts';
import type { ContainerFiles, FileView } from './container-files.ts';

/** A larger user list is no list that anybody means to be read. */
const maxListBytes = 1024 * 1024;

const tarBlockBytes = 512;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const fieldsOf = (list: string): readonly (readonly string[])[] => list.split('\n').map((line) => line.split(':'));

const idOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1 ? Number(text) : undefined;

/**
 * The ids of `user`, `user:group`, `uid` or `uid:gid`, by the texts of a container's /etc/passwd and /etc/group; undefined
 * for an empty one.
 *
 * @throws BerthError `file.user-unknown`
 */
export function ownerIn(text: string, passwd: string, group: string): Owner | undefined {
  if (text === '') return undefined;
  const [user = '', groupName] = text.split(':');
  const entry = fieldsOf(passwd).find(([name, , uid]) => name === user || (idOf(user) !== undefined && uid === user));
  const uid = idOf(entry?.[2]) ?? idOf(user);
  const groupEntry = fieldsOf(group).find(([name]) => name === groupName);
  const gid = groupName === undefined ? (idOf(entry?.[3]) ?? 0) : (idOf(groupEntry?.[2]) ?? idOf(groupName));
  if (uid !== undefined && gid !== undefined) return { uid, gid };
  const what = uid === undefined ? `user ${user}` : `group ${groupName ?? ''}`;
  throw new BerthError('invalid', 'file.user-unknown', `unable to find ${what}: no matching entries in passwd file`);
}

/** Whom a container's own user is on the host: its lists are read like any of its files, and never by a library. */
export async function containerOwner(files: ContainerFiles, view: FileView, user: string): Promise<Owner | undefined> {
  if (user === '') return undefined;
  const [passwd, group] = await Promise.all(['/etc/passwd', '/etc/group'].map((path) => smallFile(files, view, path)));
  return ownerIn(user, passwd ?? '', group ?? '');
}

/** A regular file's text, a link followed; empty when it is not there or is something else. */
async function smallFile(files: ContainerFiles, view: FileView, path: string): Promise<string> {
  const isRegular = (mode: number): boolean => (mode & 0o170000) === 0o100000;
  try {
    const named = await files.stat(view, path);
    const real = named.linkTarget === '' ? path : named.linkTarget;
    const { mode, sizeBytes } = named.linkTarget === '' ? named : await files.stat(view, real);
    if (!isRegular(mode) || sizeBytes > maxListBytes) return '';
    const tar = await buffer(await files.read(view, real, {}));
    return tarContent(tar);
  } catch (error) {
    if (error instanceof BerthError && error.code === 'file.unknown') return '';
    throw error;
  }
}

/** The content of the one file of a tar that we have made ourselves. */
function tarContent(tar: Buffer): string {
  let at = 0;
  for (;;) {
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8);
    const type = tar.toString('latin1', at + 156, at + 157);
    if (!(size >= 0)) return '';
    if (type === '0') return tar.toString('utf8', at + tarBlockBytes, at + tarBlockBytes + size);
    at += tarBlockBytes + Math.ceil(size / tarBlockBytes) * tarBlockBytes;
    if (at >= tar.length) return '';
  }
}
