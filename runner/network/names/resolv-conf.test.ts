import { expect, test } from 'vitest';
import {
  containerResolvConf,
  formatResolvConf,
  readResolvConf,
  type ResolverPlace,
  type WantedResolvers,
} from './resolv-conf.ts';

const hostText = `# made by a tool
nameserver 127.0.0.53 # stub
nameserver 192.0.2.1
search corp.example example.org
options edns0 trust-ad
; end
`;
const host = readResolvConf(hostText);
const nothing: WantedResolvers = { dns: [], dnsSearch: [], dnsOptions: [] };
const names: ResolverPlace = { kind: 'names', gateway: '10.1.0.1' };
const bridge: ResolverPlace = { kind: 'bridge', fallback: '10.0.0.1' };

function text(wanted: Partial<WantedResolvers>, place: ResolverPlace): string {
  return formatResolvConf(containerResolvConf(host, { ...nothing, ...wanted }, place));
}

test('on the default bridge, the host’s resolvers that it reaches', () => {
  expect(text({}, bridge)).toBe('nameserver 192.0.2.1\nsearch corp.example example.org\noptions edns0 trust-ad\n');
});

test('with only local resolvers, the one at the gateway', () => {
  const local = readResolvConf('nameserver 127.0.0.1\nnameserver ::1\n');
  expect(containerResolvConf(local, nothing, bridge).nameservers).toEqual(['10.0.0.1']);
  expect(containerResolvConf(local, nothing, { kind: 'bridge', fallback: undefined }).nameservers).toEqual([]);
});

test('on a network with names, its resolver and ndots:0', () => {
  expect(text({ dns: ['9.9.9.9'] }, names)).toBe(
    'nameserver 10.1.0.1\nsearch corp.example example.org\noptions edns0 trust-ad ndots:0\n',
  );
  expect(text({ dnsOptions: ['ndots:2'] }, names)).toContain('options ndots:2\n');
});

test('what is asked for replaces what the host has', () => {
  expect(text({ dns: ['9.9.9.9'], dnsSearch: ['a.example'], dnsOptions: ['timeout:1'] }, bridge)).toBe(
    'nameserver 9.9.9.9\nsearch a.example\noptions timeout:1\n',
  );
  expect(text({ dnsSearch: ['.'] }, bridge)).toBe('nameserver 192.0.2.1\noptions edns0 trust-ad\n');
});

test('in the host’s network namespace, its local resolvers are reached', () => {
  expect(text({}, { kind: 'host' })).toContain('nameserver 127.0.0.53\nnameserver 192.0.2.1\n');
});
