import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineFormat } from './line-format.ts';

test('lines are whole, however the text was cut', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.integer({ min: 1, max: 7 }), (words, size) => {
      const bytes = Buffer.from(words.join('\n'));
      const format = new LineFormat((line) => `p ${line}`);
      let printed = '';
      for (let at = 0; at < bytes.length; at += size) printed += format.take(bytes.subarray(at, at + size));
      printed += format.finish();
      const text = words.join('\n');
      const lines = text.split('\n');
      if (lines.at(-1) === '') lines.pop();
      expect(printed).toBe(lines.map((line) => `p ${line}\n`).join(''));
    }),
  );
});

test('a line without an end does not pile up', () => {
  const format = new LineFormat((line) => line);
  expect(format.take(Buffer.alloc(100_000, 'x')).length).toBe(100_001);
});
