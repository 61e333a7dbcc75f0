import { expect, test } from 'vitest';
import { MAX_CONTROL_FRAME_BYTES, toHost, fromHost } from './control.ts';
import { parseFrame } from './parse.ts';

test('a frame of another protocol version names both versions', () => {
  expect(() => parseFrame(toHost, JSON.stringify({ kind: 'challenge', protocol: 2, nonce: 'x' }))).toThrow(
    'control channel: the peer speaks protocol 2, this end speaks 1',
  );
});

test('an unknown kind names it', () => {
  expect(() => parseFrame(fromHost, '{"kind":"dance"}')).toThrow(/a message of kind "dance" is not one of protocol 1/);
});

test('a frame over the limit is refused before it is parsed', () => {
  expect(() => parseFrame(fromHost, ' '.repeat(MAX_CONTROL_FRAME_BYTES + 1))).toThrow(
    `a frame of ${MAX_CONTROL_FRAME_BYTES + 1} bytes is over the limit of ${MAX_CONTROL_FRAME_BYTES}`,
  );
});
