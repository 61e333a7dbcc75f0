import { expect, test } from 'vitest';
import { z } from 'zod';
import { encodeLine, readLines } from './lines.ts';

const schema = z.object({ n: z.int() });

function streamOf(...chunks: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

test('lines arrive whole however they were cut, also the last one without its newline', async () => {
  const bytes = new Uint8Array(Buffer.concat([encodeLine({ n: 1 }), encodeLine({ n: 2 }), Buffer.from('{"n":3}')]));
  const pieces = Array.from(bytes, (byte) => new Uint8Array([byte]));
  const lines: number[] = [];
  for await (const line of readLines(streamOf(...pieces), schema)) lines.push(line.n);
  expect(lines).toEqual([1, 2, 3]);
});

test.each([
  ['{', 'relay: a line is not JSON'],
  ['{"n":"x"}\n', 'relay: a line is not as expected'],
  ['x'.repeat(100), 'relay: a line is over the limit of 64 bytes'],
])('%s is refused', async (text, message) => {
  const read = async () => {
    for await (const line of readLines(streamOf(Buffer.from(text)), schema, 64)) expect(line).toBeUndefined();
  };
  await expect(read()).rejects.toThrow(message);
});
