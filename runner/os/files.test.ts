import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isErrno, removeFewFiles, removeTree, writeFileAtomic } from './files.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-files-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a file is replaced whole, with its mode, over what a crash left', async () => {
  const path = join(directory, 'hosts');
  writeFileSync(`${path}.tmp`, 'left over by a crash, and longer than the new text');
  await writeFileAtomic(path, 'one\n', 0o644);
  await writeFileAtomic(path, 'two\n', 0o644);
  expect(readFileSync(path, 'utf8')).toBe('two\n');
  expect(statSync(path).mode & 0o777).toBe(0o644);
  expect(readdirSync(directory)).toEqual(['hosts']);
});

test('a tree goes, what a link in it points to stays', async () => {
  writeFileSync(join(directory, 'kept'), '');
  mkdirSync(join(directory, 'tree', 'inner'), { recursive: true });
  symlinkSync(join(directory, 'kept'), join(directory, 'tree', 'inner', 'link'));
  await removeTree(join(directory, 'tree'));
  await removeTree(join(directory, 'tree'));
  expect(readdirSync(directory)).toEqual(['kept']);
});

test('a tree goes that is deeper than a path is long', async () => {
  const levels = 'd/'.repeat(100);
  const script = `i=0; while [ $i -lt 60 ]; do mkdir -p ${levels}; cd -P ${levels} 2>/dev/null; i=$((i+1)); done`;
  mkdirSync(join(directory, 'tree'));
  execFileSync('busybox', ['sh', '-c', script], { cwd: join(directory, 'tree'), stdio: 'ignore' });
  await removeTree(join(directory, 'tree'));
  expect(readdirSync(directory)).toEqual([]);
});

test('a system error is known by name', () => {
  const error = Object.assign(new Error('no such file'), { code: 'ENOENT' });
  expect(isErrno(error, 'EBUSY', 'ENOENT')).toBe(true);
  expect(isErrno(error, 'EBUSY')).toBe(false);
  expect(isErrno('ENOENT', 'ENOENT')).toBe(false);
});

test.each([3, 100])('a tree of %i files in each directory goes, what a link in it points to stays', async (count) => {
  writeFileSync(join(directory, 'kept'), '');
  for (const inner of ['tree', 'tree/one', 'tree/one/two', 'tree/empty']) {
    mkdirSync(join(directory, inner));
    if (inner !== 'tree/empty') for (let n = 0; n < count; n += 1) writeFileSync(join(directory, inner, `${n}`), '');
  }
  symlinkSync(directory, join(directory, 'tree', 'one', 'link'));
  await removeFewFiles(join(directory, 'tree'));
  await removeFewFiles(join(directory, 'tree'));
  expect(readdirSync(directory)).toEqual(['kept']);
});
