import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isBerthError } from '#shared/errors.ts';
import { openRunnerDatabase } from '../database.ts';
import { gatewayOf, hostRange, subnetSize } from './ipv4.ts';
import { AddressLeases } from './leases.ts';

const small = { base: 0x0a530000, prefixLength: 29 }; // .2 to .6

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
      const leases = new AddressLeases(database, small);
      const held = new Map<string, number>();
      for (const { lease, container } of operations) {
        const id = `c${container}`;
        if (!lease) {
          leases.release(id);
          held.delete(id);
          continue;
        }
        const isFull = held.size === 5 && !held.has(id);
        const result = attempt(() => leases.lease(id));
        expect(result).toEqual(isFull ? 'network.addresses-exhausted' : (held.get(id) ?? result));
        if (typeof result === 'number') held.set(id, result);
      }
      const { first, last } = hostRange(small);
      const addresses = [...held.values()];
      expect(new Set(addresses).size).toBe(addresses.length);
      expect(addresses.every((address) => address >= first && address <= last)).toBe(true);
      expect(addresses).not.toContain(gatewayOf(small));
      expect(addresses).not.toContain(small.base + subnetSize(small) - 1);
      const again = new AddressLeases(database, small);
      for (const [id, address] of held) expect(again.find(id)).toBe(address);
    }),
    { numRuns: 25 },
  );
});

test('an address that was given back is the last to be given again', () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const leases = new AddressLeases(database, small);
  const first = leases.lease('a');
  leases.release('a');
  const later = ['b', 'c', 'd', 'e', 'f'].map((id) => leases.lease(id));
  expect(later.at(-1)).toBe(first);
});
