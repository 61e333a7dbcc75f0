import { expect, test } from 'vitest';
import { goFileMode, pathStatHeader } from './path-stat.ts';

test.each([
  ['a file', 0o100644, 0o644],
  ['a directory', 0o040755, 2147484141],
  ['a sticky directory', 0o041777, 2 ** 31 + 2 ** 20 + 0o777],
  ['a setuid program', 0o104755, 2 ** 23 + 0o755],
  ['a symbolic link', 0o120777, 134218239],
  ['a terminal', 0o020620, 2 ** 26 + 2 ** 21 + 0o620],
  ['a FIFO', 0o010600, 2 ** 25 + 0o600],
])('%s', (_what, mode, go) => {
  expect(goFileMode(mode)).toBe(go);
});

test('the header is base64 of what Go’s client reads', () => {
  const stat = { name: 'x', sizeBytes: 3, mode: 0o120777, modifiedAtMs: 1000, linkTarget: '/y' };
  expect(JSON.parse(Buffer.from(pathStatHeader(stat), 'base64').toString())).toEqual({
    name: 'x',
    size: 3,
    mode: 134218239,
    mtime: '1970-01-01T00:00:01Z',
    linkTarget: '/y',
  });
});
