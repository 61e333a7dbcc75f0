import type { Readable } from 'node:stream';
import type { RootFilesystem } from '../os/root-filesystem.ts';

/** Where a container's files are seen. */
export type FileView =
  /**
   * By its running first process (host pid), with all that is mounted there. `cgroup` is a part of that process's
   * cgroup's path (the container's id): the pid alone may be another's by now.
   */
  | { readonly kind: 'process'; readonly pid: number; readonly cgroup: string }
  /** By its root, mounted for this operation alone in a mount namespace of its own, and the volumes upon it. */
  | {
      readonly kind: 'root';
      readonly root: RootFilesystem;
      /** Host directories or files, and where in the container they lie; in the order of mounting. */
      readonly binds: readonly { readonly source: string; readonly destination: string; readonly readonly: boolean }[];
      /** The root itself can not be written. */
      readonly readonly?: boolean;
    };

/** What `X-Docker-Container-Path-Stat` tells of a file. */
export interface PathStat {
  readonly name: string;
  readonly sizeBytes: number;
  /** Type and permission bits (st_mode). */
  readonly mode: number;
  readonly modifiedAtMs: number;
  /** The path in the container that a symbolic link leads to; else empty. */
  readonly linkTarget: string;
}

/**
 * Files in and out of containers. Every path is opened beneath the container's root, symbolic links resolved there; no
 * program or library of the container runs (CVE-2018-15664, CVE-2019-14271). What is being read may change meanwhile.
 */
export interface ContainerFiles {
  /**
   * Of the path itself, a symbolic link not followed unless the path ends in `/` or `/.`, as everywhere here.
   *
   * @throws BerthError `file.unknown`
   */
  stat(view: FileView, path: string): Promise<PathStat>;
  /**
   * A tar of the file or the directory with all below it, named by the path's last part; sockets are left out. `/` alone
   * with `sameFilesystem` is a container's export, in which names begin without a slash.
   *
   * @throws BerthError `file.unknown`
   */
  read(
    view: FileView,
    path: string,
    options: { readonly signal?: AbortSignal; readonly sameFilesystem?: boolean },
  ): Promise<Readable>;
  /**
   * Unpacks a tar (plain, or compressed by gzip, bzip2, xz or zstd) in the directory.
   *
   * @throws BerthError `file.unknown`, `file.not-a-directory`, `file.read-only`, `file.archive-invalid`, `file.not-replaced`
   */
  write(
    view: FileView,
    path: string,
    archive: Readable,
    options: {
      readonly signal?: AbortSignal;
      /** A directory is never replaced by a file, or a file by a directory. */
      readonly noOverwriteDirNonDir: boolean;
      /** Everything gets this owner; undefined: the archive's. */
      readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
    },
  ): Promise<void>;
  /**
   * What a container has written into an overlay's upper directory, as the tar of a layer (OCI image-spec, layer.md): with
   * whiteouts, without the marks of overlayfs, and without `skipped` paths (no leading slash).
   */
  readChanges(
    upper: string,
    options: { readonly skipped: readonly string[]; readonly signal?: AbortSignal },
  ): Promise<Readable>;
  /**
   * Copies what the directory has, with owners, modes, times and extended attributes, into an empty directory of the
   * host: how a new volume gets the content of the image. Nothing when the container has no such directory.
   *
   * @throws BerthError `file.not-a-directory` when it is something else
   */
  copyOut(view: FileView, path: string, directory: string): Promise<void>;
}
