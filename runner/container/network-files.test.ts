import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extraHost, hostsFile } from './hosts-file.ts';
import { writeNetworkFiles } from './network-files.ts';

const nothing = { domainname: '', addresses: [], extraHosts: [], links: [] };

test('a container finds itself by its names, at each of its addresses', () => {
  const text = hostsFile({
    ...nothing,
    hostname: 'web',
    domainname: 'shop.example',
    addresses: ['10.0.0.2', '10.1.0.2'],
  });
  expect(text).toMatch(/^127\.0\.0\.1\tlocalhost$/m);
  expect(text).toMatch(/10\.0\.0\.2\tweb\.shop\.example web\n10\.1\.0\.2\tweb\.shop\.example web\n$/);
  expect(hostsFile({ ...nothing, hostname: 'web.shop', addresses: ['10.0.0.2'] })).toMatch(/\tweb\.shop web\n$/);
  expect(hostsFile({ ...nothing, hostname: 'web', addresses: ['10.0.0.2'] })).toMatch(/\tweb\n$/);
});

test('extra hosts and links stand before it', () => {
  const extraHosts = [extraHost('six:fe80::1', ''), extraHost('host.docker.internal:host-gateway', '10.9.0.1')];
  const links = [{ address: '10.0.0.3', names: ['db', 'db-1'] }];
  expect(hostsFile({ ...nothing, hostname: 'web', addresses: ['10.0.0.2'], extraHosts, links })).toMatch(
    /fe80::1\tsix\n10\.9\.0\.1\thost\.docker\.internal\n10\.0\.0\.3\tdb db-1\n10\.0\.0\.2\tweb\n$/,
  );
});

test('the files are written in place, and end where the new text does', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-files-'));
  const [hostname, hosts, resolvConf] = ['hostname', 'hosts', 'resolv.conf'].map((name) => join(directory, name));
  try {
    const paths = { hostname: hostname ?? '', hosts: hosts ?? '', resolvConf: resolvConf ?? '' };
    const wanted = {
      hostname: 'a-long-name',
      domainname: '',
      dns: [],
      dnsSearch: ['.'],
      dnsOptions: [],
      extraHosts: [],
    };
    const endpoint = { address: '10.1.0.2', gateway: '10.1.0.1', hasNames: true };
    const context = { hostGateway: '10.0.0.1', fallbackResolver: '10.0.0.1', links: [] };
    writeNetworkFiles(paths, wanted, { ...context, place: { kind: 'own', endpoints: [endpoint] } });
    const before = statSync(paths.hostname);
    expect(readFileSync(paths.resolvConf, 'utf8')).toMatch(/^nameserver 10\.1\.0\.1\n(?!search)/);
    expect(readFileSync(paths.hosts, 'utf8')).toMatch(/^10\.1\.0\.2\ta-long-name$/m);
    writeNetworkFiles(paths, { ...wanted, hostname: 'b' }, { ...context, place: { kind: 'own', endpoints: [] } });
    expect(readFileSync(paths.hostname, 'utf8')).toBe('b\n');
    expect(readFileSync(paths.hosts, 'utf8')).not.toContain('10.1.0.2');
    expect(statSync(paths.hostname).ino).toBe(before.ino);
    expect(before.mode & 0o777).toBe(0o644);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
