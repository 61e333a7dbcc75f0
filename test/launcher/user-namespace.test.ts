import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuntimeNamespace } from '#shared/oci/runtime-spec.ts';
import { execIn } from './exec-in.ts';
import { exists, Laboratory, link, mapped, mappedIds, namespaceOf, until, withBridge } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

const idsOf = (pid: number) =>
  /^Uid:\s+(\d+).*\nGid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.slice(1);

test('root of the container is nobody outside, and its files keep their owners on disk', async () => {
  const request = await laboratory.request(
    `id -u; stat -c %u:%g /etc/passwd; touch /etc/mine; chown 33:44 /etc/mine; stat -c %u:%g /etc/mine; rm /etc/group
     cat /proc/self/uid_map; exec sleep 1000`,
    { spec: mapped },
  );
  await using shim = await laboratory.launcher.launch(request);
  await using session = await shim.attach();
  session.stdout.resume();
  const log = () => readFileSync(join(request.stateDirectory, 'container.log'), 'utf8');
  await until(() => exists(join(request.stateDirectory, 'container.log')) && log().includes(`${mappedIds.uid}`));
  const lines = log()
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { log: string }).log.trim().replaceAll(/\s+/g, ' '));
  expect(lines).toEqual(['0', '0:0', '33:44', `0 ${mappedIds.uid} 65536`]);
  const { upper } = request.root as { upper: string };
  expect(statSync(join(upper, 'etc/mine'))).toMatchObject({ uid: 33, gid: 44 });
  expect(statSync(join(upper, 'etc/group'))).toMatchObject({ uid: 0, rdev: 0 });
  expect(idsOf(shim.pid)).toEqual([`${mappedIds.uid}`, `${mappedIds.gid}`]);
  expect(await namespaceOf(shim.pid, 'user')).not.toBe(await namespaceOf('self', 'user'));
  await shim.signal(9);
  expect((await shim.exit).exitCode).toBe(137);
  await until(() => !exists(laboratory.cgroup(request.containerId)));
});

test('all that a container has works: devices, names, users, terminal, streams, sysctls, masks', async () => {
  const script = `hostname; id web; echo x > /dev/null && head -c 4 /dev/zero | wc -c; [ -r /dev/urandom ] && echo random
    cat /proc/sys/net/ipv4/ip_default_ttl; wc -c < /proc/keys; echo 1 > /proc/sys/kernel/panic; mkfifo /tmp/f && echo fifo
    mount -t tmpfs none /tmp && echo mounted; echo again > /dev/stdout; grep -c . /proc/self/cgroup; ls /dev/pts/ptmx`;
  const { stdout, stderr, exitCode } = await laboratory.run(script, {
    spec: (spec) => {
      const own = mapped(spec);
      const all = [...own.process.capabilities.bounding, 'CAP_SYS_ADMIN'];
      const capabilities = { ...own.process.capabilities, bounding: all, effective: all, permitted: all };
      return {
        ...own,
        process: { ...own.process, capabilities },
        linux: { ...own.linux, sysctl: { 'net.ipv4.ip_default_ttl': '77' } },
      };
    },
  });
  expect(stderr).toMatch(/panic: Read-only file system/);
  expect(stdout).toMatch(
    /^berth-test\nuid=1000\(web\) gid=1001\(web\) groups=[^\n]*\n4\nrandom\n77\n0\nfifo\nmounted\nagain\n\d+\n\/dev\/pts\/ptmx\n$/,
  );
  expect(exitCode).toBe(0);
  const terminal = await laboratory.run('tty; echo x > /dev/console', {
    spec: (spec) => ({ ...mapped(spec), process: { ...spec.process, terminal: true } }),
    request: { user: 'web' },
  });
  expect(terminal).toMatchObject({ exitCode: 0, stdout: '/dev/pts/0\r\nx\r\n' });
});

test('a user writes to its streams, and an exec has the same ids', async () => {
  const request = await laboratory.request('echo out > /dev/stdout; exec sleep 1000', {
    spec: mapped,
    request: { user: 'web' },
  });
  await using shim = await laboratory.launcher.launch(request);
  const script = 'id -u; echo err > /dev/stderr; cat /proc/self/uid_map; readlink /proc/self/ns/user';
  const seen = await execIn(shim, script, { user: 'web' });
  expect(seen).toMatchObject({ exitCode: 0, stderr: 'err\n' });
  expect(seen.stdout.replaceAll(/ +/g, ' ')).toBe(
    `1000\n 0 ${mappedIds.uid} 65536\n${await namespaceOf(shim.pid, 'user')}\n`,
  );
  expect(idsOf(shim.pid)?.[0]).toBe(`${mappedIds.uid + 1000}`);
  const root = await execIn(shim, 'id -u; touch /root/x; setsid sleep 1000 & echo $!', { privileged: true });
  expect(root.stdout).toMatch(/^0\n/);
  await shim.signal(9);
  await shim.exit;
});

test('binds show the owners of the host, or with "idmap" those of the container', async () => {
  const outside = join(laboratory.directory, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'roots'), '');
  writeFileSync(join(outside, 'ours'), '');
  chownSync(join(outside, 'ours'), mappedIds.uid + 5, mappedIds.gid + 5);
  const bind = (destination: string, ...words: string[]) => ({
    destination,
    type: 'bind',
    source: outside,
    options: ['rbind', 'rprivate', ...words],
  });
  const { stdout, stderr } = await laboratory.run(
    'stat -c %u:%g /plain/roots /plain/ours /mapped/roots; touch /mapped/new; touch /plain/new',
    { spec: (spec) => ({ ...mapped(spec), mounts: [...spec.mounts, bind('/plain'), bind('/mapped', 'idmap')] }) },
  );
  expect(stdout).toBe('65534:65534\n5:5\n0:0\n');
  expect(stderr).toContain('/plain/new: Permission denied');
  expect(statSync(join(outside, 'new'))).toMatchObject({ uid: 0, gid: 0 });
  const refused = await laboratory.request('true', {
    spec: (spec) => ({ ...spec, mounts: [...spec.mounts, bind('/mapped', 'idmap')] }),
  });
  await expect(laboratory.launcher.launch(refused)).rejects.toThrow('needs a user namespace');
});

test('what cannot be mapped is told as such', async () => {
  const request = await laboratory.request('true', {
    spec: (spec) => ({
      ...mapped(spec),
      mounts: [...spec.mounts, { destination: '/x', type: 'bind', source: '/proc/tty', options: ['bind', 'idmap'] }],
    }),
  });
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({
    code: 'launch.unsupported',
    message: expect.stringContaining('map the owners of files in /proc/tty: EINVAL') as string,
  });
  expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
});

test('links, and the network of such a container for another in the same user namespace', async () => {
  const end = link(laboratory.instance, 40);
  const { launcher } = laboratory;
  await withBridge(laboratory, async () => {
    const first = await launcher.launch(
      await laboratory.request('exec sleep 1000', { spec: mapped, request: { links: [end] } }),
    );
    expect((await execIn(first, `ping -c 1 -W 30 ${end.gateway} >/dev/null && ip route`)).stdout).toContain(
      'default via',
    );
    const ns = (name: string) => `/proc/${first.pid}/ns/${name}`;
    const request = await laboratory.request('exec sleep 1000', {
      spec: (spec) => ({
        ...spec,
        linux: {
          ...spec.linux,
          uidMappings: mapped(spec).linux.uidMappings ?? [],
          gidMappings: mapped(spec).linux.gidMappings ?? [],
          namespaces: spec.linux.namespaces
            .map(({ type }): RuntimeNamespace => (type === 'network' ? { type, path: ns('net') } : { type }))
            .concat([{ type: 'user', path: ns('user') }]),
        },
      }),
    });
    const second = await launcher.launch(request);
    for (const name of ['net', 'user'])
      expect(await namespaceOf(second.pid, name)).toBe(await namespaceOf(first.pid, name));
    expect(await namespaceOf(second.pid, 'pid')).not.toBe(await namespaceOf(first.pid, 'pid'));
    expect((await execIn(second, `id -u; ping -c 1 -W 30 ${end.gateway} >/dev/null && echo pong`)).stdout).toBe(
      '0\npong\n',
    );
    for (const shim of [second, first]) {
      await shim.signal(9);
      await shim.exit;
      await shim[Symbol.asyncDispose]();
    }
    await until(() => !exists(`/sys/class/net/${end.hostName}`));
  });
});

test('nothing of it stays mounted, neither here nor in the spawner or any other process', async () => {
  const request = await laboratory.request('exec sleep 1000', { spec: mapped });
  await using shim = await laboratory.launcher.launch(request);
  const seeing = () =>
    execFileSync('sh', ['-c', `grep -l ${request.containerId} /proc/[0-9]*/mountinfo 2>/dev/null || true`], {
      encoding: 'utf8',
    });
  expect(seeing()).toBe(`/proc/${shim.pid}/mountinfo\n`);
  await shim.signal(9);
  await shim.exit;
  await until(() => seeing() === '');
});
