import { BerthError } from './errors.ts';

const unitBytes = new Map([
  ['', 1],
  ['b', 1],
  ['k', 2 ** 10],
  ['kb', 2 ** 10],
  ['m', 2 ** 20],
  ['mb', 2 ** 20],
  ['g', 2 ** 30],
  ['gb', 2 ** 30],
  ['t', 2 ** 40],
  ['tb', 2 ** 40],
]);

/**
 * Bytes of a Compose byte value (`64m`, `1gb`; compose-spec, "Specifying byte values"; units are powers of 1024).
 *
 * @throws BerthError `size.invalid`
 */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = unitBytes.get((match?.[2] ?? '?').toLowerCase());
  if (match === null || unit === undefined) {
    throw new BerthError('invalid', 'size.invalid', `"${text}" is not a size`, {
      remedy: 'Write a number of bytes, or one with a unit b, k, m, g or t, such as 64m.',
    });
  }
  return Math.floor(Number(match[1]) * unit);
}

/** Bytes for people: `1.2 GB` in powers of 1000, as the docker CLI prints sizes. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(3))} ${units[unit] ?? 'B'}`;
}
