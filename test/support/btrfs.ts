import { execFileSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const IMAGE_BYTES = 512 * 2 ** 20;

const programs = [
  '/sbin/mkfs.btrfs',
  '/usr/sbin/mkfs.btrfs',
  resolve(import.meta.dirname, '../../build/btrfs-progs/sbin/mkfs.btrfs'),
];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const program = programs.find(isExecutable);

/** Why there can be no btrfs here; undefined: there can. */
export function btrfsMissing(): string | undefined {
  if (program === undefined) return 'mkfs.btrfs is not there: scripts/setup.sh test';
  if (!/\bbtrfs$/m.test(readFileSync('/proc/filesystems', 'utf8'))) return 'this kernel has no btrfs';
  return undefined;
}

/** A btrfs in a file, mounted on a directory until it is disposed. */
export class BtrfsFileSystem implements Disposable {
  readonly #around: string;
  readonly path: string;

  constructor() {
    this.#around = mkdtempSync(join(tmpdir(), 'berth-btrfs-'));
    this.path = join(this.#around, 'mount');
    const image = join(this.#around, 'image');
    const file = openSync(image, 'w');
    ftruncateSync(file, IMAGE_BYTES);
    closeSync(file);
    execFileSync(program ?? 'mkfs.btrfs', ['-q', image]);
    mkdirSync(this.path);
    execFileSync('mount', ['-o', 'loop', image, this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync('umount', ['-l', this.path]);
    rmSync(this.#around, { recursive: true });
  }
}
