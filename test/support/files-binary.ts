import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** Path of berth-files, built if its sources are newer. */
export function filesBinary(): string {
  const target = 'build/bin/berth-files';
  execFileSync('make', ['-s', '-f', 'runner/archive/files.mk', target], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return resolve(root, target);
}
