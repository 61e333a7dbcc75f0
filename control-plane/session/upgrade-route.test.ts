import { expect, test } from 'vitest';
import { isUpgrade, upgradeRoute } from './upgrade-route.ts';

const id = '0123456789abcdefghjk';

test('only whole paths with an id are WebSockets', () => {
  expect(upgradeRoute(`/v1/hosts/${id}/channel`)).toEqual({ kind: 'channel', hostId: id });
  expect(upgradeRoute(`/v1/relays/${id}`)).toEqual({ kind: 'relay', relayId: id });
  for (const path of [
    '/v1/relays',
    `/v1/relays/${id}/x`,
    '/v1/relays/..',
    '/v1/hosts/alpha/channel',
    `/x/v1/relays/${id}`,
  ]) {
    expect([path, upgradeRoute(path)]).toEqual([path, undefined]);
  }
});

test('what is forwarded to an object and what an object takes from outside are the same requests', () => {
  const request = (method: string, upgrade?: string) =>
    new Request('http://x/', { method, headers: upgrade === undefined ? {} : { upgrade } });
  expect(isUpgrade(request('GET', 'WebSocket'))).toBe(true);
  expect(isUpgrade(request('POST', 'websocket'))).toBe(false);
  expect(isUpgrade(request('GET', 'h2c'))).toBe(false);
  expect(isUpgrade(request('GET'))).toBe(false);
});
