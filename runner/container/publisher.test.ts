import { expect, test } from 'vitest';
import type { Endpoint, Network } from '../network/network.ts';
import { Publisher } from './publisher.ts';

const endpoint = (containerId: string): Endpoint => ({ containerId, address: '', publishGroup: '', ports: [] });

/** The remote end: it takes its time, and refuses when it is told to. */
function slowNetwork() {
  const published: string[][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const publish = async (endpoints: readonly Endpoint[]): Promise<void> => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    published.push(endpoints.map(({ containerId }) => containerId));
  };
  return { published, gates, network: { publish } as Network };
}

test('requests during a publication become one, with the newest set', async () => {
  const { published, gates, network } = slowNetwork();
  let endpoints = [endpoint('a')];
  await using publisher = new Publisher({
    network,
    endpoints: () => endpoints,
    log: () => undefined,
  });
  const first = publisher.request();
  endpoints = [endpoint('b')];
  const second = publisher.request();
  endpoints = [endpoint('c')];
  const third = publisher.request();
  gates[0]?.resolve();
  await first;
  await Promise.resolve();
  gates[1]?.resolve();
  await Promise.all([second, third]);
  await publisher.request();
  expect(published).toEqual([['a'], ['c']]);
});

test('a failure is told and tried again until it succeeds', async () => {
  const { published, gates, network } = slowNetwork();
  const told = Promise.withResolvers<string>();
  await using publisher = new Publisher({
    network,
    endpoints: () => [endpoint('a')],
    log: (_, message) => told.resolve(message),
  });
  const first = publisher.request();
  gates[0]?.reject(new Error('nft is away'));
  await first;
  expect(await told.promise).toContain('nft is away');
  await expect.poll(() => gates.length).toBe(2);
  gates[1]?.resolve();
  await expect.poll(() => published).toEqual([['a']]);
});
