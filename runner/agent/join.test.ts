import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempDisposable, stat, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { BerthError } from '#shared/errors.ts';
import { fromBase64Url } from '#shared/bytes.ts';
import { toProblem } from '#shared/problem.ts';
import { hostFacts } from '../os/facts.ts';
import { readIdentity, signText } from './identity.ts';
import { controlPlaneUrl, joinCluster } from './join.ts';

const hostId = '0123456789abcdefghjk';

async function listen(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => answer(request, response, Buffer.concat(parts).toString()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function request(dataRoot: string, url: string) {
  const facts = await hostFacts([]);
  return { dataRoot, url, token: 'bjt_x', name: 'kiel', facts, signal: AbortSignal.timeout(10_000) };
}

test('the key is on disk before the token is spent, and the same key is used again after a lost answer', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-join-'));
  const keys: string[] = [];
  using server = await listen((incoming, response, body) => {
    expect(incoming.headers.authorization).toBe('Bearer bjt_x');
    keys.push((JSON.parse(body) as { publicKey: string }).publicKey);
    if (keys.length === 1) incoming.socket.destroy(); // the answer is lost
    else response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ hostId, name: 'kiel' }));
  });
  const asked = await request(directory.path, `${server.url}/`);
  await expect(joinCluster(asked)).rejects.toMatchObject({ code: 'join.unreachable' });
  expect(await readIdentity(directory.path)).toMatchObject({ state: 'pending', key: { x: keys[0] } });
  const identity = await joinCluster(asked);
  expect(identity).toMatchObject({ hostId, name: 'kiel', url: server.url, key: { x: keys[0] } });
  expect(keys[1]).toBe(keys[0]);
  expect(await readIdentity(directory.path)).toEqual(identity);
  expect((await stat(join(directory.path, 'identity.json'))).mode & 0o777).toBe(0o600);
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: identity.key.x } });
  const signature = fromBase64Url(signText(identity.key, 'hello')) ?? new Uint8Array();
  expect(verify(null, Buffer.from('hello'), key, signature)).toBe(true);
  await expect(joinCluster(asked)).rejects.toThrow(/is already the host kiel \(0123456789abcdefghjk\)/);
});

test('what the control plane answers passes through with its remedy', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-join-'));
  using server = await listen((_incoming, response) => {
    const told = new BerthError('unauthenticated', 'join-token.used', 'The join token was used before', {
      remedy: 'Make another: berth host token',
    });
    response.writeHead(401, { 'content-type': 'application/problem+json' }).end(JSON.stringify(toProblem(told)));
  });
  await expect(joinCluster(await request(directory.path, server.url))).rejects.toMatchObject({
    code: 'join-token.used',
    message: 'The join token was used before',
    remedy: 'Make another: berth host token',
  });
});

test('something else than a control plane, nothing at all, and a broken identity are told apart', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-join-'));
  let deadUrl: string;
  {
    using server = await listen((_incoming, response) => response.end('<html>'));
    deadUrl = server.url;
    await expect(joinCluster(await request(directory.path, server.url))).rejects.toThrow(
      /answered 200, not as a control plane does/,
    );
  }
  await expect(joinCluster(await request(directory.path, deadUrl))).rejects.toMatchObject({
    code: 'join.unreachable',
    message: expect.stringMatching(/ECONNREFUSED/) as string,
  });
  await writeFile(join(directory.path, 'identity.json'), '{');
  await expect(joinCluster(await request(directory.path, deadUrl))).rejects.toMatchObject({
    code: 'identity.malformed',
  });
});

test.each(['', 'kiel', 'ftp://x', 'http://u:p@x', 'http://x/?a=1'])(
  '"%s" is not the URL of a control plane',
  (text) => {
    expect(() => controlPlaneUrl(text)).toThrow(`"${text}" is not the URL of a control plane`);
  },
);

test('a URL loses its trailing slash and keeps its path', () => {
  expect(controlPlaneUrl('https://x.example/berth/')).toBe('https://x.example/berth');
});
