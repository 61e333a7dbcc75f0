import { expect, test } from 'vitest';
import { isBeneath, mountOf, parseMountTable } from './mount-table.ts';

const table = parseMountTable(
  [
    '22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
    '23 22 0:5 / /run rw shared:5 master:2 - tmpfs tmpfs rw',
    '24 23 0:6 / /run/with\\040space rw shared:7 - tmpfs tmpfs rw',
    '25 23 0:7 / /run rw - tmpfs tmpfs rw',
    '',
  ].join('\n'),
);

test('lines of mountinfo are read, with their escapes and optional fields', () => {
  expect(table.map(({ mountPoint }) => mountPoint)).toEqual(['/', '/run', '/run/with space', '/run']);
  expect(table[1]?.propagation).toEqual(['shared:5', 'master:2']);
  expect(table[0]?.propagation).toEqual([]);
});

test('a path lies on the last mount of the longest mount point', () => {
  expect(mountOf(table, '/running/x')).toBe(table[0]);
  expect(mountOf(table, '/run/with space/x')).toBe(table[2]);
  expect(mountOf(table, '/run/lock')).toBe(table[3]); // it covers the other one there
  expect(mountOf([], '/')).toBeUndefined();
});

test.each([
  ['/a/b', '/a', true],
  ['/a', '/a', true],
  ['/ab', '/a', false],
  ['/a', '/', true],
])('%s beneath %s: %s', (path, directory, is) => {
  expect(isBeneath(path, directory)).toBe(is);
});
