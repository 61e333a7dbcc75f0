import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-cache-'));
  chmodSync(directory, 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

test('what Node has compiled is kept beside the program, not where others may write', () => {
  const env = { PATH: process.env['PATH'], TMPDIR: directory, HOME: directory };
  execFileSync(join(root, 'bin/berth'), ['--help'], { env, stdio: 'ignore' });
  const cache = join(root, 'build/compile-cache');
  expect(readdirSync(cache)).not.toEqual([]);
  expect(statSync(cache).mode & 0o022).toBe(0);
  expect(readdirSync(directory)).toEqual([]);
});

/** Where another user's Node is told to keep it, by the same script in front of a program that is not theirs. */
function cacheOfNobody(environment: object): string {
  const node = join(directory, 'node_modules/.bin/node');
  mkdirSync(join(node, '..'), { recursive: true });
  writeFileSync(node, '#!/bin/sh\necho "$NODE_COMPILE_CACHE"\n', { mode: 0o755 });
  mkdirSync(join(directory, 'bin'), { recursive: true });
  copyFileSync(join(root, 'bin/berth'), join(directory, 'bin/berth'));
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const env = { PATH: process.env['PATH'], TMPDIR: directory, ...environment };
  return execFileSync('setpriv', [...user, join(directory, 'bin/berth')], { env, cwd: '/', encoding: 'utf8' }).trim();
}

test('who may not write the program keeps it in a directory of their own, or nowhere', () => {
  expect(cacheOfNobody({ HOME: '/home/n' })).toBe('/home/n/.cache/berth');
  expect(cacheOfNobody({ HOME: '/home/n', XDG_CACHE_HOME: '/home/n/c' })).toBe('/home/n/c/berth');
  expect(cacheOfNobody({})).toBe('');
});
