import { lstat, readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { z } from 'zod';
import { corrupt } from './archive-image.ts';
import { maxMetadataBytes } from './limits.ts';

/** A regular file of an unpacked archive. */
export interface ArchiveMember {
  /** Absolute, without symlinks, beneath the archive's directory. */
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * The files of an archive that was unpacked into a directory of our own. The archive chose their names and kinds: a member
 * is read only if it is a regular file whose real path lies beneath the directory (old `docker save` links layers to
 * each other), so that a symlink to a host file or a fifo is not there for us.
 */
export class ArchiveMembers {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Undefined when there is no such file. */
  async find(name: string): Promise<ArchiveMember | undefined> {
    if (name === '' || name.includes('\0')) return undefined;
    try {
      const root = await realpath(this.directory);
      const path = await realpath(join(root, name));
      if (!path.startsWith(root + sep)) return undefined;
      const stats = await lstat(path);
      return stats.isFile() ? { path, sizeBytes: stats.size } : undefined;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG') return undefined;
      throw error;
    }
  }

  /** @throws BerthError `image.archive-corrupt` when it is missing or larger than metadata may be */
  async readText(name: string): Promise<string> {
    const member = await this.find(name);
    if (member === undefined) throw corrupt(`the archive has no file ${name}`);
    if (member.sizeBytes > maxMetadataBytes) {
      throw corrupt(`${name} is ${member.sizeBytes} bytes, metadata may have ${maxMetadataBytes}`);
    }
    return readFile(member.path, 'utf8');
  }

  /** @throws BerthError `image.archive-corrupt` when it does not have the schema's form */
  async readJson<T>(name: string, schema: z.ZodType<T>): Promise<T> {
    return parseMetadata(await this.readText(name), name, schema);
  }
}

/** @throws BerthError `image.archive-corrupt` naming the member */
export function parseMetadata<T>(text: string, name: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw corrupt(`${name} is not what it should be: ${String(cause)}`, cause);
  }
}
