import { expect, test } from 'vitest';
import { signalNumber } from './signals.ts';

test.each([
  ['SIGTERM', 15],
  ['term', 15],
  ['9', 9],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
])('%s is %i', (text, number) => {
  expect(signalNumber(text)).toBe(number);
});

test.each(['', '0', '65', 'SIGNOPE', '-1', 'RTMAX+1', 'constructor'])('"%s" is none', (text) => {
  expect(() => signalNumber(text)).toThrow(expect.objectContaining({ code: 'signal.unknown' }));
});
