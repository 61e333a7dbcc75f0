import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode } from 'dns-packet';
import { expect, test } from 'vitest';
import { forward } from './forward.ts';

const query = encode({ type: 'query', id: 9, flags: 0x100, questions: [{ name: 'example.test', type: 'A' }] });

test.each(['udp', 'tcp'] as const)(
  'an upstream to which there is no way is as good as none, by %s',
  async (transport) => {
    const { signal } = new AbortController();
    // Of the broadcast address, a socket may not even be connected; at port 1 of this machine nobody listens.
    for (const server of ['255.255.255.255', '127.0.0.1', '::1']) {
      expect(await forward(query, { servers: [server], transport, port: 1, signal })).toBeUndefined();
    }
  },
);

test('the next upstream is asked at once when there is no way to the first', async () => {
  const upstream = createSocket('udp4');
  upstream.on('message', (bytes, peer) => {
    const { id, questions } = decode(bytes);
    upstream.send(encode({ type: 'response', id, questions }), peer.port, peer.address);
  });
  upstream.bind(0, '127.0.0.1');
  await once(upstream, 'listening');
  const { port } = upstream.address();
  const { signal } = new AbortController();
  const answer = await forward(query, { servers: ['255.255.255.255', '127.0.0.1'], transport: 'udp', port, signal });
  expect(answer && decode(answer).questions).toMatchObject([{ name: 'example.test' }]);
  upstream.close();
});

test('an asker that is gone is not asked for any longer', async () => {
  const silent = createSocket('udp4');
  silent.bind(0, '127.0.0.1');
  await once(silent, 'listening');
  const asking = new AbortController();
  const { port } = silent.address();
  const answer = forward(query, { servers: ['127.0.0.1'], transport: 'udp', port, signal: asking.signal });
  await once(silent, 'message');
  asking.abort();
  expect(await answer).toBeUndefined();
  silent.close();
});
