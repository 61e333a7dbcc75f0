import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitWords } from './words.ts';

test('any words, quoted, are read back', () => {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      expect(splitWords(words.map(quote).join(' '))).toEqual(words);
    }),
  );
});

test.each([
  ['', []],
  ['  a   b\t\nc ', ['a', 'b', 'c']],
  ['a"b c"d', ['ab cd']],
  ['"" \'\'', ['', '']],
  ['"a\\"b" "a\\b" \'a\\b\'', ['a"b', 'a\\b', 'a\\b']],
  ['a\\ b', ['a b']],
  ['"open', undefined],
  ["'open", undefined],
  ['end\\', undefined],
])('%j', (text, words) => {
  expect(splitWords(text)).toEqual(words);
});
