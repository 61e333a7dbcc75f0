import fc from 'fast-check';
import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import { isAddress } from './ip-address.ts';

test.each(['10.0.0.1', '::', '::1', 'fe80::1', '1:2:3:4:5:6:7:8', '::ffff:10.0.0.1', '1::', 'A:b::'])('%s', (text) => {
  expect(isAddress(text)).toBe(true);
});

test('it agrees with the system on what is an address', () => {
  const piece = fc.constantFrom('1', 'ffff', ':', '::', '10.0.0.1', '.', 'g', '12345', '0');
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join('')),
  );
  const property = fc.property(text, (address) => {
    expect(isAddress(address)).toBe(isIP(address) !== 0);
  });
  fc.assert(property, { numRuns: 3000 });
});
