import { posix } from 'node:path';

/** A path in a container as berth-files takes it. */
export interface ContainerPath {
  /** From the root, without a slash at either end; empty: the root. */
  readonly path: string;
  /** What it leads to is meant, when it is a symbolic link: it ends in `/` or `/.`. */
  readonly follow: boolean;
  /** The name that it has in an archive: its last part, `.` for the content of a directory, `/` for the root. */
  readonly name: string;
}

/** Relative to the root; `..` is taken away before any link is followed, as Docker does (moby, `ResolvePath`). */
export function containerPath(text: string): ContainerPath {
  const path = posix.normalize(`/${text}`).replace(/^\/+/, '').replace(/\/+$/, '');
  const dot = text === '.' || text.endsWith('/.');
  const base = posix.basename(path);
  return { path, follow: dot || text.endsWith('/'), name: path === '' ? '/' : dot ? '.' : base };
}
