import { expect, test } from 'vitest';
import { detachKeys, DetachFilter } from './detach-keys.ts';

test.each([
  ['', [16, 17]],
  ['ctrl-p,ctrl-q', [16, 17]],
  ['a', [97]],
  ['ctrl-@,ctrl-z,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL', [0, 26, 27, 28, 29, 30, 31, 127]],
])('%s', (text, bytes) => expect(detachKeys(text)).toEqual(bytes));

test.each(['ctrl-', 'ctrl-1', 'ab', 'a,,b', 'ctrl-A', 'ctrl-aa'])('%s is no key sequence', (text) => {
  expect(() => detachKeys(text)).toThrow(`Invalid escape keys (${text}) provided`);
});

async function passed(keys: string, pieces: readonly string[]): Promise<{ text: string; detached: boolean }> {
  let detached = false;
  const filter = new DetachFilter(detachKeys(keys), () => {
    detached = true;
    filter.push(null);
  });
  for (const piece of pieces) filter.write(piece);
  if (!detached) filter.end();
  let text = '';
  for await (const chunk of filter) text += String(chunk);
  return { text, detached };
}

test('the sequence is taken out, also over pieces; what only begins like it is passed on', async () => {
  expect(await passed('a,b,c', ['1ab', 'c2'])).toEqual({ text: '1', detached: true });
  expect(await passed('a,b,c', ['1ab', 'd', 'aab', 'x', 'a'])).toEqual({ text: '1abdaabxa', detached: false });
  expect(await passed('a,b', ['aa', 'b'])).toEqual({ text: 'a', detached: true });
});
