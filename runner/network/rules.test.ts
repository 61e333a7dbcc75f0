import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PublishedPort } from '#shared/model/service.ts';
import { formatIpv4 } from './ipv4.ts';
import type { Endpoint } from './network.ts';
import { hostLinkName, instanceNames, tableScript } from './rules.ts';

const subnet = { base: 0x0a530000, prefixLength: 22 };
const networks = [{ bridge: 'br-one', subnet, internal: false, isConnected: true, masquerades: true }];

const ports = fc.record({
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  hostPort: fc.integer({ min: 1, max: 5 }),
  containerPort: fc.integer({ min: 1, max: 65_535 }),
});
const endpoints = fc.array(
  fc.record({
    containerId: fc.constant('c'),
    address: fc.integer({ min: subnet.base + 2, max: subnet.base + 9 }).map(formatIpv4),
    publishGroup: fc.constant('g'),
    ports: fc.array(ports, { maxLength: 4 }),
  }),
  { maxLength: 8 },
);

/** What the script says to whom a port goes. */
function targetsOf(script: string, { protocol, hostPort }: Pick<PublishedPort, 'protocol' | 'hostPort'>): Set<string> {
  const key = `${protocol} \\. ${hostPort} : `;
  const single = new RegExp(`[{,] ${key}([0-9.]+ \\. \\d+)(?=[, ])`).exec(script)?.[1];
  if (single !== undefined) return new Set([single]);
  if (!new RegExp(`[{,] ${key}goto to-${protocol}-${hostPort}[, ]`).test(script)) return new Set();
  const chain = new RegExp(`chain to-${protocol}-${hostPort} {.*? mod (\\d+) map { (.*?) };`).exec(script);
  const choices = (chain?.[2] ?? '').split(', ').map((choice) => choice.split(' : ')[1] ?? '');
  expect(choices).toHaveLength(Number(chain?.[1]));
  return new Set(choices);
}

test('every published port goes to exactly the containers that publish it', () => {
  fc.assert(
    fc.property(endpoints, (list) => {
      const script = tableScript('abcd1234', networks, list);
      for (const protocol of ['tcp', 'udp'] as const) {
        for (let hostPort = 1; hostPort <= 5; hostPort += 1) {
          const wanted = list.flatMap(({ address, ports }) =>
            ports
              .filter((port) => port.protocol === protocol && port.hostPort === hostPort)
              .map((port) => `${address} . ${port.containerPort}`),
          );
          expect(targetsOf(script, { protocol, hostPort })).toEqual(new Set(wanted));
        }
      }
    }),
  );
});

test('the text does not depend on the order of endpoints, and is one line of known characters', () => {
  fc.assert(
    fc.property(endpoints, (list) => {
      const script = tableScript('abcd1234', networks, list);
      expect(tableScript('abcd1234', networks, list.toReversed())).toBe(script);
      expect(script).toMatch(/^[a-z0-9 .:;,{}@!="/_-]+$/);
    }),
  );
});

test('nothing that is no address, port or protocol reaches the text', () => {
  const good: Endpoint = {
    containerId: 'c',
    address: '10.83.0.2',
    publishGroup: 'g',
    ports: [{ protocol: 'tcp', hostPort: 80, containerPort: 80 }],
  };
  const script = (change: Partial<Endpoint>) => () => tableScript('abcd1234', networks, [{ ...good, ...change }]);
  const port = (change: object) => script({ ports: [{ protocol: 'tcp', hostPort: 80, containerPort: 80, ...change }] });
  for (const address of ['10.83.0.2; drop', '010.83.0.2', '10.83.0', '10.83.0.256', '']) {
    expect(script({ address })).toThrow('is not an address');
  }
  expect(port({ hostPort: 0 })).toThrow('is not a port');
  expect(port({ containerPort: 65_536 })).toThrow('is not a port');
  expect(port({ hostPort: 1.5 })).toThrow('is not a port');
  expect(port({ protocol: 'tcp }' })).toThrow('is not a port or protocol');
  expect(() => tableScript('x; flush ruleset', networks, [])).toThrow('is not an instance id');
});

test('a port at one address is a rule of that address alone', () => {
  const at = (address: string, hostAddress?: string): Endpoint => ({
    containerId: 'c',
    address,
    publishGroup: 'g',
    ports: [{ protocol: 'tcp', hostPort: 80, containerPort: 8080, hostAddress }],
  });
  const script = tableScript('abcd1234', networks, [at('10.83.0.2', '127.0.0.1'), at('10.83.0.3', '10.0.0.1')]);
  expect(script).toMatch(/map singleat {[^}]*127\.0\.0\.1 \. tcp \. 80 : 10\.83\.0\.2 \. 8080[ ,]/);
  expect(script).toMatch(/map single { type [a-z_. ]+ : [a-z_0-9. ]+; };/);
  const shared = tableScript('abcd1234', networks, [at('10.83.0.2', '127.0.0.1'), at('10.83.0.3', '127.0.0.1')]);
  expect(shared).toContain('127.0.0.1 . tcp . 80 : goto to-tcp-80-127-0-0-1');
  expect(() => tableScript('abcd1234', networks, [at('10.83.0.2', '0; drop')])).toThrow('is not an address');
});

test('each network has its rules: internal ones are closed, unconnected ones are kept apart', () => {
  const [first] = networks;
  if (first === undefined) throw new Error('no network');
  const closed = { ...first, bridge: 'br-two', subnet: { ...subnet, base: subnet.base + 1024 }, internal: true };
  const apart = { ...first, bridge: 'br-three', subnet: { ...subnet, base: subnet.base + 2048 }, isConnected: false };
  const script = tableScript('abcd1234', [first, closed, apart], []);
  expect(script).toContain('iifname "br-two" drop; oifname "br-two" drop;');
  expect(script).not.toMatch(/ip saddr 10\.83\.4\.0\/22 oifname != "br-two" masquerade/);
  expect(script).toContain('ip saddr 10.83.8.0/22 oifname != "br-three" masquerade');
  expect(script).toContain('iifname "br-three" oifname "br-three" drop;');
  expect(() => tableScript('abcd1234', [{ ...first, bridge: 'x"; drop' }], [])).toThrow('is not a name of a bridge');
});

test('names fit into the 15 characters of a link', () => {
  expect(instanceNames('abcd1234')).toEqual({ bridge: 'br-abcd1234', table: 'berth-abcd1234' });
  expect(hostLinkName('0123456789abcdef'.repeat(4))).toBe('bv0123456789ab');
  expect(() => hostLinkName('../../x')).toThrow('is not a container id');
});
