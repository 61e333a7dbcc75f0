import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isBerthError } from '#shared/errors.ts';
import { openRunnerDatabase } from '../database.ts';
import { gatewayOf, hostRange, subnetSize } from './ipv4.ts';
import { AddressLeases, leasePool } from './leases.ts';

const small = { base: 0x0a530000, prefixLength: 29 }; // .2 to .6
const network = { id: 'n', name: 'small', subnet: '10.83.0.0/29', gateway: '10.83.0.1', reserved: [] };
const pool = leasePool(network);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-leases-'));
});
afterEach(() => rm(directory, { recursive: true }));

function attempt(lease: () => number): number | string {
  try {
    return lease();
  } catch (error) {
    return isBerthError(error) ? error.code : 'unknown';
  }
}

test('leases are unique, within the range, kept until released, and survive a restart', () => {
  const operation = fc.record({ lease: fc.boolean(), container: fc.nat(8) });
  let run = 0;
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      run += 1;
      using database = openRunnerDatabase(join(directory, `${run}.db`));
      const leases = new AddressLeases(database);
      const held = new Map<string, number>();
      for (const { lease, container } of operations) {
        const id = `c${container}`;
        if (!lease) {
          leases.release('n', id);
          held.delete(id);
          continue;
        }
        const isFull = held.size === 5 && !held.has(id);
        const result = attempt(() => leases.lease(pool, id).address);
        expect(result).toEqual(isFull ? 'network.addresses-exhausted' : (held.get(id) ?? result));
        if (typeof result === 'number') held.set(id, result);
      }
      const { first, last } = hostRange(small);
      const addresses = [...held.values()];
      expect(new Set(addresses).size).toBe(addresses.length);
      expect(addresses.every((address) => address >= first && address <= last)).toBe(true);
      expect(addresses).not.toContain(gatewayOf(small));
      expect(addresses).not.toContain(small.base + subnetSize(small) - 1);
      const again = new AddressLeases(database);
      for (const [id, address] of held) expect(again.find('n', id)?.address).toBe(address);
    }),
    { numRuns: 25 },
  );
});

test('an address that was given back is the last to be given again', () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const leases = new AddressLeases(database);
  const first = leases.lease(pool, 'a').address;
  leases.release('n', 'a');
  const later = ['b', 'c', 'd', 'e', 'f'].map((id) => leases.lease(pool, id).address);
  expect(later.at(-1)).toBe(first);
});

test('a requested address is given once, from the whole subnet, and never a reserved one', () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const leases = new AddressLeases(database);
  const ranged = leasePool({ ...network, subnet: '10.83.0.0/24', ipRange: '10.83.0.16/30', reserved: ['10.83.0.17'] });
  const ask = (id: string, ipv4Address?: string): number | string =>
    attempt(() => leases.lease(ranged, id, { ipv4Address }).address);
  expect(ask('a', '10.83.0.200')).toBe(small.base + 200);
  expect(ask('b', '10.83.0.200')).toBe('network.address-taken');
  expect(ask('b', '10.83.0.17')).toBe('network.address-taken');
  expect(ask('b', '10.83.0.1')).toBe('network.address-taken');
  expect(ask('b', '10.83.1.2')).toBe('network.address-invalid');
  expect(['c', 'd', 'e', 'f'].map((id) => ask(id))).toEqual([
    small.base + 16,
    small.base + 18,
    small.base + 19,
    'network.addresses-exhausted',
  ]);
});

test('each network of a container is an interface of its own, and a name that was given back is given again', () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const leases = new AddressLeases(database);
  const pools = ['n', 'm', 'o'].map((id) => leasePool({ ...network, id }));
  expect(pools.map((one) => leases.lease(one, 'a').interfaceName)).toEqual(['eth0', 'eth1', 'eth2']);
  leases.release('m', 'a');
  expect(leases.lease(leasePool({ ...network, id: 'p' }), 'a').interfaceName).toBe('eth1');
  expect(leases.ofContainer('a').map(({ networkId }) => networkId)).toEqual(['n', 'p', 'o']);
});
