import { expect, test } from 'vitest';
import { hostsFile, resolvConf } from './network-files.ts';

test('resolvers that only the host reaches are left out', () => {
  const host = '# made by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nsearch example.org\noptions edns0\n';
  expect(resolvConf(host, '172.30.0.1')).toBe('nameserver 10.0.0.2\nsearch example.org\noptions edns0\n');
});

test.each(['', 'nameserver 127.0.0.1\n', 'nameserver ::1\n'])(
  'the fallback serves a host that has none: %j',
  (host) => {
    expect(resolvConf(host, '172.30.0.1')).toBe('nameserver 172.30.0.1\n');
  },
);

test('a container finds itself by name', () => {
  expect(hostsFile('web', ['172.30.0.2'])).toMatch(/^172\.30\.0\.2\tweb$/m);
});
