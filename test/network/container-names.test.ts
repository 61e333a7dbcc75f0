import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { call } from '../support/call-socket.ts';
import { Daemon } from '../support/stage/daemon.ts';
import { ip } from './namespace.ts';

let engine: EngineUnderTest;

beforeAll(async () => {
  engine = await EngineUnderTest.runner();
});

afterAll(() => engine[Symbol.asyncDispose]());

/** Standard output of `docker` with these arguments, which must succeed. */
async function docker(...args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await engine.run({ args });
  if (exit !== 0) throw new Error(`docker ${args.join(' ')}: ${exit}: ${stderr}${stdout}`);
  return stdout;
}

function inContainer(script: string, ...options: readonly string[]): Promise<string> {
  return docker('run', '--rm', ...options, 'busybox', 'sh', '-c', script);
}

/** What a creation is answered with this HostConfig: clients check some fields before the engine can. */
async function create(hostConfig: object): Promise<{ status: number; message: string }> {
  const config = { Image: 'busybox', Cmd: ['true'], HostConfig: hostConfig };
  const { status, body } = await call(engine.socketPath, 'POST', '/v1.47/containers/create', config);
  return { status, message: (body as { message?: string }).message ?? '' };
}

test('a domain name is in the kernel, in the hosts file and in inspect', async () => {
  const output = await inContainer(
    'hostname; cat /proc/sys/kernel/domainname; tail -1 /etc/hosts',
    ...['--name', 'named', '-h', 'harbour', '--domainname', 'sea.example'],
  );
  expect(output).toMatch(/^harbour\nsea\.example\n[0-9.]+\tharbour\.sea\.example harbour\n$/);
  expect(await inContainer('tail -1 /etc/hosts', '-h', 'harbour.sea.example')).toMatch(
    /\tharbour\.sea\.example harbour\n$/,
  );
  const id = (await docker('create', '--domainname', 'sea.example', 'busybox')).trim();
  expect(await docker('inspect', '--format', '{{.Config.Domainname}}', id)).toBe('sea.example\n');
});

test('resolvers, search domains and options take the place of the host’s', async () => {
  const options = [
    '--dns',
    '192.0.2.1',
    '--dns',
    '2001:db8::1',
    '--dns-search',
    'sea.example',
    '--dns-opt',
    'timeout:1',
  ];
  expect(await inContainer('cat /etc/resolv.conf', ...options)).toBe(
    'nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch sea.example\noptions timeout:1\n',
  );
  const none = await inContainer(
    'cat /etc/resolv.conf',
    '--dns',
    '192.0.2.1',
    '--dns-search',
    '.',
    '--dns-opt',
    'rotate',
  );
  expect(none).toBe('nameserver 192.0.2.1\noptions rotate\n');
  const id = (await docker('create', ...options, 'busybox')).trim();
  const format = '{{.HostConfig.Dns}} {{.HostConfig.DnsSearch}} {{.HostConfig.DnsOptions}}';
  expect(await docker('inspect', '--format', format, id)).toBe('[192.0.2.1 2001:db8::1] [sea.example] [timeout:1]\n');
});

test('extra hosts are in the hosts file, and resolved', async () => {
  const options = ['--add-host', 'buoy:192.0.2.9', '--add-host', 'six:2001:db8::9'];
  const output = await inContainer(
    'grep -E "buoy|six|internal" /etc/hosts; ip route | sed -n "s/default via \\([0-9.]*\\).*/\\1/p"',
    ...[...options, '--add-host', 'host.docker.internal:host-gateway'],
  );
  const [buoy, six, host, gateway] = output.split('\n');
  expect([buoy, six]).toEqual(['192.0.2.9\tbuoy', '2001:db8::9\tsix']);
  expect(host).toBe(`${gateway}\thost.docker.internal`);
  expect(await inContainer('ping -c 1 -W 1 buoy | head -1', '--add-host', 'buoy:127.0.0.1')).toContain('(127.0.0.1)');
});

test('a linked container has a name and variables in the linking one', async () => {
  await docker('run', '-d', '--name', 'db', '--expose', '5432', '-e', 'DEPTH=7', 'busybox', 'sleep', '600');
  const output = await inContainer(
    'grep store /etc/hosts; env | grep ^STORE_ | sort; ping -c 1 store >/dev/null && echo reached',
    ...['--name', 'web', '--link', 'db:store'],
  );
  const id = (await docker('inspect', '--format', '{{.Id}}', 'db')).slice(0, 12);
  const address = (await docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'db')).trim();
  expect(output.split('\n')).toEqual([
    `${address}\tstore ${id} db`,
    'STORE_ENV_DEPTH=7',
    'STORE_NAME=/web/store',
    `STORE_PORT=tcp://${address}:5432`,
    `STORE_PORT_5432_TCP=tcp://${address}:5432`,
    `STORE_PORT_5432_TCP_ADDR=${address}`,
    'STORE_PORT_5432_TCP_PORT=5432',
    'STORE_PORT_5432_TCP_PROTO=tcp',
    'reached',
    '',
  ]);
  await docker('create', '--name', 'late', '--link', 'db', 'busybox', 'true');
  expect(await docker('inspect', '--format', '{{.HostConfig.Links}}', 'late')).toBe('[/db:/late/db]\n');
  await docker('rm', '-f', 'db');
  const { exit, stderr } = await engine.run({ args: ['start', 'late'] });
  expect({ exit, stderr }).toEqual({
    exit: 1,
    stderr: expect.stringContaining('Cannot link to a non running container: /db AS /late/db') as string,
  });
});

test('on a network that somebody made, containers have names and aliases', async () => {
  await docker('network', 'create', 'quay');
  const server = ['httpd', '-f', '-p', '80', '-h', '/tmp'];
  await docker('run', '-d', '--name', 'crane', '--network', 'quay', '--network-alias', 'lift', 'busybox', ...server);
  const address = (await docker('inspect', '--format', '{{.NetworkSettings.Networks.quay.IPAddress}}', 'crane')).trim();
  const gateway = (await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Gateway}}', 'quay')).trim();
  const script = 'cat /etc/resolv.conf; for name in crane lift crane.quay; do ping -c 1 $name | head -1; done';
  const output = await inContainer(script, '--network', 'quay');
  expect(output).toMatch(new RegExp(`^nameserver ${gateway}$`, 'm'));
  expect(output).toMatch(/^options .*ndots:0$/m);
  for (const name of ['crane', 'lift', 'crane.quay']) expect(output).toContain(`PING ${name} (${address})`);
  expect(await inContainer(`nslookup ${address}`, '--network', 'quay')).toContain('name = crane.quay');
  // From its first moment a container finds itself.
  expect(await inContainer('ping -c 1 early | head -1', '--network', 'quay', '--name', 'early')).toContain(
    'PING early (',
  );
  expect(await inContainer('nslookup crane 2>&1 || true')).not.toContain(address);
});

test('the files of a running container follow its networks, in place', async () => {
  await docker('run', '-d', '--name', 'boat', '-h', 'boat', 'busybox', 'sleep', '600');
  const own = (): Promise<string> =>
    docker('exec', 'boat', 'sh', '-c', 'grep -c boat /etc/hosts; cat /etc/resolv.conf');
  const before = await own();
  expect(before).toMatch(/^1\n/);
  await docker('network', 'connect', '--alias', 'ferry', 'quay', 'boat');
  expect(await own()).toMatch(/^2\n(?=[^]*ndots:0)/);
  expect(await docker('exec', 'boat', 'ping', '-c', '1', 'crane')).toContain('PING crane (');
  expect(await docker('exec', 'crane', 'ping', '-c', '1', 'ferry')).toContain('PING ferry (');
  await docker('network', 'disconnect', 'quay', 'boat');
  expect(await own()).toBe(before);
  const gone = await engine.run({ args: ['exec', 'crane', 'ping', '-c', '1', '-W', '1', 'ferry'] });
  expect(gone.exit).not.toBe(0);
});

test('with --dns, the resolver asks there, from the first question on', async () => {
  const address = '192.0.2.53';
  await ip('-n', engine.namespace, 'address', 'add', `${address}/32`, 'dev', 'lo');
  const directory = await mkdtemp(join(tmpdir(), 'berth-names-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rm(directory, { recursive: true }));
  const program = [process.execPath, join(import.meta.dirname, 'names-upstream.ts'), 'one', address] as const;
  const argv = ['nsenter', `--net=/run/netns/${engine.namespace}`, ...program] as const;
  const upstream = stack.use(new Daemon('upstream', argv, join(directory, 'log'), process.env));
  await expect.poll(() => upstream.tail(1)).toBe('ready');
  const script = 'nslookup example.test 2>&1 | sed -n "s/^Address: *//p"';
  expect(await inContainer(script, '--network', 'quay', '--dns', address)).toContain('203.0.113.7\n');
  expect(await inContainer(script, '--network', 'quay')).not.toContain('203.0.113.7');
  await docker('rm', '-f', 'crane', 'boat');
  await docker('network', 'rm', 'quay');
});

test.each([
  [{ Dns: ['nowhere'] }, 'bad nameserver address nowhere: ParseAddr("nowhere"): unable to parse IP'],
  [{ ExtraHosts: ['buoy'] }, 'bad format for add-host: "buoy"'],
  [{ ExtraHosts: [':192.0.2.1'] }, 'bad format for add-host: ":192.0.2.1"'],
  [{ ExtraHosts: ['buoy:sea'] }, 'invalid IP address in add-host: "sea"'],
  [{ Links: ['nosuch:x'] }, 'could not get container for nosuch: No such container: nosuch'],
  [{ Links: ['a:b:c'] }, 'bad format for links: a:b:c'],
])('%j is refused', async (hostConfig, message) => {
  expect(await create(hostConfig)).toEqual({ status: 400, message });
});
