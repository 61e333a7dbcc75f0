import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

function build(target: string): string {
  execFileSync('make', ['-s', '-f', 'runner/image/unpack.mk', target], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return resolve(root, target);
}

/** Path of berth-unpack, built if its sources are newer. */
export function unpackBinary(): string {
  return build('build/bin/berth-unpack');
}

/** The same with address and undefined-behaviour sanitizers; a finding ends it with a status other than 0, 1 and 2. */
export function sanitizedUnpackBinary(): string {
  return build('build/test/berth-unpack');
}
