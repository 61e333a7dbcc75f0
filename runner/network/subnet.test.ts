import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIpv4, gatewayOf, hostRange, macAddressOf, overlaps, parseIpv4 } from './ipv4.ts';
import { chooseSubnet, formatSubnet, parseRoutes, parseSubnet } from './subnet.ts';

const subnets = fc
  .record({ address: fc.integer({ min: 0, max: 0xffffffff }), prefixLength: fc.integer({ min: 8, max: 30 }) })
  .map(({ address, prefixLength }) => ({ base: address - (address % 2 ** (32 - prefixLength)), prefixLength }));

test('addresses and subnets survive being written and read', () => {
  fc.assert(
    fc.property(subnets, (subnet) => {
      expect(parseSubnet(formatSubnet(subnet))).toEqual(subnet);
      expect(parseIpv4(formatIpv4(subnet.base))).toBe(subnet.base);
    }),
  );
  for (const text of ['10.0.0.1/24', '10.0.0.0/31', '10.0.0.0', '10.0.0.0/24/1', 'x/24']) {
    expect(parseSubnet(text)).toBeUndefined();
  }
});

test('a chosen subnet overlaps no route, or there is none to choose', () => {
  const inPools = fc
    .record({ second: fc.constantFrom(83, 183), third: fc.nat(255), prefixLength: fc.integer({ min: 16, max: 26 }) })
    .map(({ second, third, prefixLength }) => {
      const address = 0x0a000000 + second * 65_536 + third * 256;
      return { base: address - (address % 2 ** (32 - prefixLength)), prefixLength };
    });
  fc.assert(
    fc.property(fc.array(inPools, { maxLength: 20 }), (routes) => {
      const chosen = chooseSubnet(routes);
      expect(routes.some((route) => overlaps(route, chosen))).toBe(false);
      const { first, last } = hostRange(chosen);
      expect([gatewayOf(chosen) + 1, last - first + 1]).toEqual([first, 1021]);
    }),
  );
  expect(() =>
    chooseSubnet([
      { base: 0, prefixLength: 1 },
      { base: 0x80000000, prefixLength: 1 },
    ]),
  ).toThrow('overlaps a route of this host');
});

test('routes are read from /proc/net/route; the default route is none', () => {
  const text = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
br-x\t0004530A\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0
`;
  expect(parseRoutes(text).map(formatSubnet)).toEqual(['172.17.0.0/16', '10.83.4.0/22']);
});

test('a hardware address is made of the address', () => {
  expect(macAddressOf(0x0a5300fe)).toBe('02:42:0a:53:00:fe');
});
