import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { editedHosts, extraHost, hostsFile } from './hosts-file.ts';
import { updateNetworkFiles, writeNetworkFiles } from './network-files.ts';

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

test('an edit changes the lines of its own names and of links, and no other', () => {
  const links = [{ address: '10.0.0.9', names: ['db', 'db-1'] }];
  const content = { ...nothing, hostname: 'web', addresses: ['10.0.0.2'], extraHosts: [extraHost('web:10.7.7.7', '')] };
  const text = `${hostsFile({ ...content, links: [{ address: '10.0.0.8', names: ['db', 'db-1'] }] })}# mine\n\n9.9.9.9 web\n`;
  const edited = editedHosts(text, { ...content, links, addresses: ['10.0.0.2', '10.1.0.2'] });
  expect(edited).toMatch(
    /\n10\.7\.7\.7\tweb\n10\.0\.0\.2\tweb\n# mine\n\n9\.9\.9\.9 web\n10\.0\.0\.9\tdb db-1\n10\.1\.0\.2\tweb\n$/,
  );
  expect(edited).not.toContain('10.0.0.8');
  expect(editedHosts(edited, { ...content, links, addresses: [] })).toMatch(
    /\n10\.7\.7\.7\tweb\n# mine\n\n9\.9\.9\.9 web\n10\.0\.0\.9\tdb db-1\n$/,
  );
  expect(editedHosts('no end of line', { ...content, links: [] })).toBe('no end of line\n10.0.0.2\tweb\n');
  expect(editedHosts('', { ...content, addresses: [] })).toBe('');
});

test('the files are written in place, and end where the new text does', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-files-'));
  const [hostname, hosts, resolvConf] = ['hostname', 'hosts', 'resolv.conf'].map((name) => join(directory, name));
  try {
    const paths = {
      hostname: hostname ?? '',
      hosts: hosts ?? '',
      resolvConf: resolvConf ?? '',
      resolvConfDigests: join(directory, 'digests'),
    };
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
    // While it runs.
    const onNames = { ...context, place: { kind: 'own', endpoints: [endpoint] } } as const;
    const onNone = { ...context, place: { kind: 'own', endpoints: [] } } as const;
    const servers = () => readFileSync(paths.resolvConf, 'utf8').match(/^nameserver.*$/gm);
    updateNetworkFiles(paths, wanted, onNames);
    expect(servers()).toEqual(['nameserver 10.1.0.1']);
    appendFileSync(paths.hosts, '9.9.9.9 mine\n');
    appendFileSync(paths.hostname, 'mine\n');
    updateNetworkFiles(paths, wanted, onNone);
    updateNetworkFiles(paths, wanted, onNames);
    expect(servers()).toEqual(['nameserver 10.1.0.1']);
    appendFileSync(paths.resolvConf, 'nameserver 9.9.9.9\n');
    updateNetworkFiles(paths, wanted, onNone);
    expect(servers()).toEqual(['nameserver 10.1.0.1', 'nameserver 9.9.9.9']);
    expect(readFileSync(paths.hosts, 'utf8')).toMatch(/allrouters\n9\.9\.9\.9 mine\n$/);
    expect(readFileSync(paths.hostname, 'utf8')).toBe('b\nmine\n');
    // A file that nobody would read is written anew.
    truncateSync(paths.hosts, 2 ** 31);
    updateNetworkFiles(paths, wanted, onNames);
    expect(readFileSync(paths.hosts, 'utf8')).toMatch(/allrouters\n10\.1\.0\.2\ta-long-name\n$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
