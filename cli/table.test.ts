import { expect, test } from 'vitest';
import { formatAge, formatMoment } from './age.ts';
import { formatTable } from './table.ts';

test('columns are as wide as their widest cell, and lines have no trailing blanks', () => {
  expect(
    formatTable(
      ['name', 'state'],
      [
        ['a', 'ready'],
        ['longer', ''],
      ],
    ),
  ).toBe('NAME    STATE\na       ready\nlonger\n');
});

test('control characters of a message cannot drive the terminal', () => {
  expect(formatTable(['message'], [['a\u001B[2Jb\nc']])).toBe('MESSAGE\na?[2Jb c\n');
});

test('an age is in the unit that fits', () => {
  const now = 1_000_000_000_000;
  const ages = [0, 59_999, 60_000, 3_600_000, 47 * 3_600_000, 48 * 3_600_000, -5].map((ms) => formatAge(now - ms, now));
  expect(ages).toEqual(['0s', '59s', '1m', '1h', '47h', '2d', '0s']);
  expect(formatMoment(0)).toBe('1970-01-01 00:00:00Z');
});
