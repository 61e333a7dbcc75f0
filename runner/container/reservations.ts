import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorText } from '#shared/errors.ts';
import { isErrno } from '../os/files.ts';

interface Reserved {
  readonly directories: readonly string[];
  readonly bytes: number;
}

/**
 * The kernel protects no more of a cgroup's memory than what is protected of each cgroup above it (cgroup-v2.rst,
 * `memory.low`): those between the host's root and a container get the sum of what the running containers in them have
 * reserved. Invariant: what is written to a cgroup is that sum, from the first container that is told of in it.
 */
export class Reservations {
  readonly #top: string;
  readonly #warn: (text: string) => void;
  readonly #reserved = new Map<string, Reserved>();
  /** What was written, by directory. */
  readonly #sums = new Map<string, number>();

  /** @param top the runner's subtree, as a directory */
  constructor(top: string, warn: (text: string) => void) {
    this.#top = top;
    this.#warn = warn;
  }

  /** A container runs in the cgroup parent of this path below the subtree (empty: in the subtree itself). */
  set(id: string, parent: string, bytes: number): void {
    this.#change(id, { directories: this.#above(parent), bytes });
  }

  /** It runs no more. */
  delete(id: string): void {
    const reserved = this.#reserved.get(id);
    if (reserved === undefined) return;
    this.#change(id, { ...reserved, bytes: 0 });
    this.#reserved.delete(id);
  }

  #change(id: string, reserved: Reserved): void {
    const before = this.#reserved.get(id)?.bytes ?? 0;
    this.#reserved.set(id, reserved);
    for (const directory of reserved.directories) {
      const sum = this.#sums.get(directory);
      const next = (sum ?? 0) - before + reserved.bytes;
      if (next !== sum) this.#write(directory, next);
    }
  }

  #above(parent: string): readonly string[] {
    const names = parent.split('/').filter((name) => name !== '');
    return [this.#top, ...names.map((_, at) => join(this.#top, ...names.slice(0, at + 1)))];
  }

  #write(directory: string, bytes: number): void {
    // A parent comes and goes with its containers; the next of its name begins with 0.
    if (bytes === 0 && directory !== this.#top) this.#sums.delete(directory);
    else this.#sums.set(directory, bytes);
    try {
      writeFileSync(join(directory, 'memory.low'), `${bytes}\n`, { flag: 'r+' });
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENODEV')) return; // no such controller here, or the cgroup is gone
      this.#warn(`Memory reservations below ${directory} are not in force: ${errorText(error)}`);
    }
  }
}
