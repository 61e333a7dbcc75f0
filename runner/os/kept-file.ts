import { closeSync, openSync, readSync } from 'node:fs';
import { isErrno } from './files.ts';

/** One buffer for all reads, which are synchronous: a file of the kernel's grows it to what it needs. */
let buffer = Buffer.alloc(16 * 1024);

/**
 * A file of the kernel's (cgroupfs, procfs) that is read again and again through one descriptor: some 5 microseconds a
 * read, a sixth of what opening it each time costs. Synchronous, since a turn through the thread pool costs more.
 */
export class KeptFile implements Disposable {
  readonly #path: string;
  #fd: number | undefined;
  #missing = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Its text now; empty when there is no such file, or what it told of has ended. */
  read(): string {
    if (this.#missing) return '';
    try {
      this.#fd ??= openSync(this.#path, 'r');
      return readWhole(this.#fd);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENODEV', 'ESRCH', 'EOPNOTSUPP', 'EACCES')) throw error;
      this.#missing = this.#fd === undefined; // a kernel without it does not get it later
      return '';
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#missing = true;
  }
}

/** The text of a file of the kernel's, opened for this read; empty when it is not there. */
export function readOnce(path: string): string {
  using file = new KeptFile(path);
  return file.read();
}

function readWhole(fd: number): string {
  for (let size = 0; ;) {
    const count = readSync(fd, buffer, size, buffer.length - size, size);
    size += count;
    if (count === 0) return buffer.toString('latin1', 0, size);
    if (size === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
  }
}
