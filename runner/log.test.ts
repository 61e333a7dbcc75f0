import { expect, test } from 'vitest';
import { logLine } from './log.ts';

const time = new Date(0);

test('a line holds time, level, message and fields; nothing in them forges another line', () => {
  expect(logLine('text', time, 'info', 'up\nnow', { host: 'kiel', reason: 'a "b"\nc', left: undefined, n: 3 })).toBe(
    '1970-01-01T00:00:00.000Z info  up\\nnow host=kiel reason="a \\"b\\"\\nc" n=3',
  );
  expect(logLine('json', time, 'warn', 'away', { n: 3 })).toBe(
    '{"time":"1970-01-01T00:00:00.000Z","level":"warn","message":"away","n":3}',
  );
});
