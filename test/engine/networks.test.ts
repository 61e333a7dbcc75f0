import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { hasClient28 } from '../support/docker-client.ts';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';

const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;

beforeAll(async () => {
  engine = stack.use(await EngineUnderTest.runner());
});
afterAll(() => stack.disposeAsync());
/** What a failed test left is not the next one's trouble. */
afterEach(async () => {
  const ids = (await docker('ps', '-aq')).split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker('rm', '-f', ...ids);
  await docker('network', 'prune', '-f');
});

/** What the client prints, when it succeeds. */
async function docker(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await engine.run({ args });
  if (exit !== 0) throw new Error(`docker ${args.join(' ')}: ${exit}: ${stderr}`);
  return stdout.trim();
}

const attempt = (...args: string[]): Promise<Outcome> => engine.run({ args });

async function refusal(...args: string[]): Promise<string> {
  const { exit, stderr } = await attempt(...args);
  expect(exit).not.toBe(0);
  return stderr;
}

/** A container that serves its name at port 80, once it does. */
async function serve(name: string, ...options: string[]): Promise<void> {
  const script = `echo ${name} > /tmp/index.html; httpd -f -p 80 -h /tmp`;
  await docker('run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script);
  await serves(name);
}

/** Resolves when its server answers itself. */
async function serves(name: string): Promise<void> {
  const own = async (): Promise<string> =>
    (await attempt('exec', name, 'wget', '-q', '-O', '-', 'http://127.0.0.1/')).stdout;
  await expect.poll(own).toBe(`${name}\n`);
}

/** The page, within a time. The shell stays, since the first process is not ended by a timeout's signal. */
const page = (from: readonly string[], url: string, seconds = 50): Promise<Outcome> =>
  attempt('run', '--rm', ...from, 'busybox', 'sh', '-c', `busybox timeout ${seconds} wget -q -O - ${url}; exit $?`);

/** Fails unless wget was refused, or had no answer within two seconds. */
async function expectUnreachable(from: readonly string[], url: string): Promise<void> {
  const { exit, stdout } = await page(from, url, 2);
  expect({ url, exit, stdout }).toEqual({ url, exit: expect.toBeOneOf([1, 143]) as number, stdout: '' });
}

const address = (container: string, network: string): Promise<string> =>
  docker('inspect', '--format', `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`, container);

test('containers of a network know each other by name and alias; those of others neither know nor reach them', async () => {
  await docker('network', 'create', 'one');
  await docker('network', 'create', 'two');
  await serve('web1', '--network', 'one', '--network-alias', 'www');
  for (const name of ['web1', 'www']) {
    expect(await page(['--network', 'one'], `http://${name}/`)).toMatchObject({ exit: 0, stdout: 'web1\n' });
  }
  await expectUnreachable(['--network', 'two'], 'http://web1/');
  await expectUnreachable([], 'http://web1/');
  const direct = `http://${await address('web1', 'one')}/`;
  expect(await page(['--network', 'one'], direct)).toMatchObject({ stdout: 'web1\n' });
  for (const other of [['--network', 'two'], []]) {
    await expectUnreachable(other, direct);
  }
  await docker('rm', '-f', 'web1');
  await docker('network', 'rm', 'one', 'two');
});

test('a published port is the way from network to network, and from the host by each of its addresses', async () => {
  await docker('network', 'create', 'one');
  await docker('network', 'create', 'two');
  await serve('open', '--network', 'one', '-p', '8081:80', '-p', '127.0.0.1:8082:80', '-p', '8090-8092:80');
  expect((await docker('port', 'open')).split('\n').toSorted()).toEqual([
    '80/tcp -> 0.0.0.0:8081',
    '80/tcp -> 0.0.0.0:8090',
    '80/tcp -> 127.0.0.1:8082',
  ]);
  const gateway = await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'two');
  expect(await page(['--network', 'two'], `http://${gateway}:8081/`)).toMatchObject({ stdout: 'open\n' });
  await expectUnreachable(['--network', 'two'], `http://${gateway}:8082/`);
  for (const port of [8081, 8082, 8090]) {
    expect(await page(['--network', 'host'], `http://127.0.0.1:${port}/`)).toMatchObject({ stdout: 'open\n' });
  }
  await serve('next', '-p', '8090-8092:80');
  expect(await docker('port', 'next', '80')).toBe('0.0.0.0:8091');
  expect(await refusal('run', '--rm', '-p', '127.0.0.1:8081:80', 'busybox', 'true')).toContain(
    'Bind for 127.0.0.1:8081 failed: port is already allocated',
  );
  expect(await refusal('run', '--rm', '--name', 'far', '-p', '192.0.2.7:80:80', 'busybox', 'true')).toMatch(
    /driver failed programming external connectivity on endpoint far \(\w{64}\): failed to bind host port .*: cannot assign requested address/,
  );
  expect(await refusal('run', '--rm', '-p', '80:80/sctp', 'busybox', 'true')).toContain('80/sctp is not supported');
  await docker('rm', '-f', 'open', 'next');
  await docker('network', 'rm', 'one', 'two');
});

test('free ports are found at each start', async () => {
  await serve('any', '-p', '80', '-P');
  const port = (await docker('port', 'any', '80')).split(':')[1] ?? '';
  expect(Number(port)).toBeGreaterThanOrEqual(32_768);
  expect(await docker('inspect', '--format', '{{json .HostConfig.PortBindings}}', 'any')).toContain('"HostPort":""');
  expect(await page(['--network', 'host'], `http://127.0.0.1:${port}/`)).toMatchObject({ stdout: 'any\n' });
  await docker('stop', '-t', '0', 'any');
  expect(await docker('port', 'any')).toBe('');
  await docker('start', 'any');
  expect(await docker('port', 'any', '80')).toMatch(/^0\.0\.0\.0:\d+$/);
  await docker('rm', '-f', 'any');
});

test('an internal network has no way out and none in', async () => {
  await docker('network', 'create', '--internal', 'vault');
  await docker('network', 'create', 'outer');
  await serve('safe', '--network', 'vault', '-p', '8083:80');
  await serve('away', '--network', 'outer', '-p', '8084:80');
  expect(await page(['--network', 'vault'], 'http://safe/')).toMatchObject({ stdout: 'safe\n' });
  expect(await docker('port', 'safe')).toBe('');
  expect(await docker('exec', 'safe', 'cat', '/proc/net/route')).not.toMatch(/^eth0\s+00000000/m);
  const gateway = await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'vault');
  await expectUnreachable(['--network', 'vault'], `http://${gateway}:8084/`);
  await expectUnreachable(['--network', 'outer'], `http://${await address('safe', 'vault')}/`);
  await docker('rm', '-f', 'safe', 'away');
  await docker('network', 'rm', 'vault', 'outer');
});

test('enable_icc=false keeps the containers of a network apart, but for published ports', async () => {
  await docker('network', 'create', '-o', 'com.docker.network.bridge.enable_icc=false', 'apart');
  await serve('alone', '--network', 'apart', '-p', '8085:80');
  await expectUnreachable(['--network', 'apart'], `http://${await address('alone', 'apart')}/`);
  const gateway = await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'apart');
  expect(await page(['--network', 'apart'], `http://${gateway}:8085/`)).toMatchObject({ stdout: 'alone\n' });
  await docker('rm', '-f', 'alone');
  await docker('network', 'rm', 'apart');
});

test('connect and disconnect, while it runs and while it does not', async () => {
  await docker('network', 'create', 'one');
  await docker('network', 'create', '--subnet', '10.99.1.0/24', '--ip-range', '10.99.1.16/28', 'two');
  await serve('moving', '--network', 'one');
  await docker('network', 'connect', '--ip', '10.99.1.9', '--alias', 'there', 'two', 'moving');
  expect(await page(['--network', 'two'], 'http://there/')).toMatchObject({ stdout: 'moving\n' });
  expect(await refusal('network', 'connect', 'two', 'moving')).toContain(
    'endpoint with name moving already exists in network two',
  );
  expect(await refusal('network', 'rm', 'two')).toContain('network two has active endpoints (name:"moving"');
  const defaultRoute = (): Promise<string> => docker('exec', 'moving', 'cat', '/proc/net/route');
  expect(await defaultRoute()).toMatch(/^eth0\s+00000000/m);
  await docker('network', 'disconnect', 'one', 'moving');
  expect(await defaultRoute()).toMatch(/^eth1\s+00000000/m);
  expect(await docker('exec', 'moving', 'cat', '/etc/hosts')).toMatch(/^10\.99\.1\.9\t/m);
  expect(await refusal('network', 'disconnect', 'one', 'moving')).toContain('is not connected to network one');
  await docker('stop', '-t', '0', 'moving');
  await docker('network', 'connect', 'one', 'moving');
  await docker('start', 'moving');
  await serves('moving');
  expect(await address('moving', 'two')).toBe('10.99.1.9');
  expect(await page(['--network', 'one'], 'http://moving/')).toMatchObject({ stdout: 'moving\n' });
  await docker('network', 'disconnect', '-f', 'two', 'moving');
  await docker('stop', '-t', '0', 'moving');
  await docker('network', 'rm', 'one');
  expect(await refusal('start', 'moving')).toMatch(/failed to set up container networking: network \w+ not found/);
  await docker('rm', '-f', 'moving');
  await docker('network', 'rm', 'two');
});

test.runIf(hasClient28)(
  'several networks from the start: the first is the way out, unless another has a higher priority',
  async () => {
    await docker('network', 'create', 'one');
    await docker('network', 'create', 'two');
    const route = ['busybox', 'cat', '/proc/net/route'];
    expect(await docker('run', '--rm', '--network', 'two', '--network', 'one', ...route)).toMatch(/^eth0\s+00000000/m);
    expect(await docker('run', '--rm', '--network', 'one', '--network', 'name=two,gw-priority=1', ...route)).toMatch(
      /^eth1\s+00000000/m,
    );
    const mac = '02:42:00:00:00:77';
    expect(
      await docker(
        'run',
        '--rm',
        '--network',
        `name=one,mac-address=${mac}`,
        'busybox',
        'cat',
        '/proc/net/arp',
        '/sys/class/net/eth0/address',
      ),
    ).toContain(mac);
    await docker('network', 'rm', 'one', 'two');
  },
);

test("host, none, and another container's namespace", async () => {
  const links = ['busybox', 'cat', '/proc/net/dev'];
  expect(await docker('run', '--rm', '--network', 'none', ...links)).not.toContain('eth0');
  expect(await docker('run', '--rm', '--network', 'host', ...links)).toMatch(/^ *br-/m);
  expect((await attempt('run', '--rm', '--network', 'host', '-p', '80:80', 'busybox', 'true')).stderr).toBe(
    'WARNING: Published ports are discarded when using host network mode\n',
  );
  await serve('base');
  expect(await page(['--network', 'container:base'], 'http://127.0.0.1/')).toMatchObject({ stdout: 'base\n' });
  const hostname = await docker('exec', 'base', 'cat', '/etc/hostname');
  expect(await docker('run', '--rm', '--network', 'container:base', 'busybox', 'cat', '/etc/hostname')).toBe(hostname);
  const join = ['--rm', '--network', 'container:base'];
  expect(await refusal('run', ...join, '-p', '80:80', 'busybox', 'true')).toContain(
    'conflicting options: port publishing and the container type network mode',
  );
  expect(await refusal('run', ...join, '--hostname', 'x', 'busybox', 'true')).toContain(
    'conflicting options: hostname and the network mode',
  );
  await docker('create', '--name', 'guest', '--network', 'container:base', 'busybox', 'true');
  expect(await refusal('network', 'connect', 'bridge', 'guest')).toContain(
    'container sharing network namespace with another container or host cannot be connected to any other network',
  );
  expect(await refusal('network', 'connect', 'none', 'base')).toContain('in private (none) mode');
  expect(await refusal('network', 'connect', 'host', 'base')).toContain('must be created in host network mode');
  await docker('stop', '-t', '0', 'base');
  expect(await refusal('start', 'guest')).toContain(
    'cannot join network namespace of a non running container: container base is exited',
  );
  await docker('rm', '-f', 'base', 'guest');
});

test.runIf(hasClient28)('addresses: what is refused, and how it is said', async () => {
  expect(await refusal('network', 'create', '--subnet', '10.99.2.1/24', 'bad')).toContain(
    'invalid subnet 10.99.2.1/24: it should be 10.99.2.0/24',
  );
  expect(await refusal('network', 'create', '--subnet', '10.99.2.0/24', '--gateway', '10.99.3.1', 'bad')).toContain(
    'no matching subnet for gateway 10.99.3.1',
  );
  await docker('network', 'create', '--subnet', '10.99.2.0/29', '--aux-address', 'router=10.99.2.2', 'tiny');
  expect(await refusal('network', 'create', '--subnet', '10.99.0.0/16', 'bad')).toContain(
    'invalid pool request: Pool overlaps with other one on this address space',
  );
  expect(await refusal('network', 'create', '--ipv6', 'bad')).toContain('IPv6');
  const sleeping = ['run', '-d', '--network', 'tiny', 'busybox', 'sleep', '1000'];
  for (const _ of [3, 4, 5, 6]) await docker(...sleeping);
  expect(await refusal(...sleeping)).toMatch(
    /no available IPv4 addresses on this network's address pools: tiny \(\w{64}\)/,
  );
  expect(await refusal('run', '--rm', '--network', 'tiny', '--ip', '10.99.2.3', 'busybox', 'true')).toContain(
    'failed to set up container networking: Address already in use',
  );
  expect(await refusal('run', '--rm', '--network', 'tiny', '--ip', '10.9.9.9', 'busybox', 'true')).toContain(
    'no configured subnet or ip-range contain the IP address 10.9.9.9',
  );
  expect(await refusal('run', '--rm', '--ip', '10.99.2.3', 'busybox', 'true')).toContain(
    'user specified IP address is supported on user defined networks only',
  );
  const ids = (await docker('ps', '-aq')).split('\n');
  await docker('rm', '-f', ...ids);
  expect(await docker('network', 'prune', '-f', '--filter', 'label!=keep')).toBe('Deleted Networks:\ntiny');
});

test('networks are listed by filters, told by events, and named by nobody twice', async () => {
  await docker('network', 'create', '--label', 'tier=front', '--attachable', 'listed');
  expect(await docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'label=tier=front')).toBe('listed');
  expect(await docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'type=custom')).toBe('listed');
  expect(await docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'dangling=true')).toBe('listed');
  expect(await docker('network', 'ls', '--format', '{{.Name}}', '--filter', 'driver=null')).toBe('none');
  expect(await refusal('network', 'create', 'listed')).toContain('network with name listed already exists');
  expect(await refusal('network', 'create', 'host')).toContain('operation is not permitted on predefined host network');
  expect(await refusal('network', 'rm', 'none')).toContain('none is a pre-defined network and cannot be removed');
  expect(await refusal('network', 'create', '-d', 'nosuch', 'x')).toContain('plugin "nosuch" not found');
  expect(await refusal('network', 'create', '-d', 'macvlan', 'x')).toContain('"macvlan" is not in this version');
  await docker('run', '--rm', '--name', 'passing', '--network', 'listed', 'busybox', 'true');
  await docker('network', 'rm', 'listed');
  const until = `${Date.now() / 1000 + 0.2}`;
  const since = [
    'events',
    '--since',
    '10m',
    '--until',
    until,
    '--filter',
    'type=network',
    '--filter',
    'network=listed',
  ];
  const events = await docker(...since, '--format', '{{.Action}} {{.Actor.Attributes.type}}');
  expect(events.split('\n')).toEqual(['create bridge', 'connect bridge', 'disconnect bridge', 'destroy bridge']);
});
