import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exists, isAlive, Laboratory, link, namespaceOf, overlay, readLog, routesOf, until } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

test('a container has six namespaces of its own, and its spawner a mount namespace of its own', async () => {
  const request = await laboratory.request('exec sleep 1000');
  await using shim = await laboratory.launcher.launch(request);
  for (const type of ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
    expect(await namespaceOf(shim.pid, type)).not.toBe(await namespaceOf('self', type));
  }
  const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${shim.pid}/status`, 'utf8'))?.[1];
  expect(await namespaceOf(Number(parent), 'mnt')).not.toBe(await namespaceOf('self', 'mnt'));
  expect(readFileSync(`/proc/${shim.pid}/cgroup`, 'utf8')).toContain(
    `0::/${laboratory.instance}/${request.containerId}\n`,
  );
  expect(readFileSync(`/proc/${parent}/cgroup`, 'utf8')).not.toContain(request.containerId);
  await shim.signal(9);
  expect((await shim.exit).exitCode).toBe(137);
});

test("its capabilities, seccomp mode and privileges are Docker's", async () => {
  const { stdout } = await laboratory.run('cat /proc/self/status');
  expect(stdout).toMatch(/^CapInh:\s+0000000000000000$/m);
  for (const set of ['CapPrm', 'CapEff', 'CapBnd'])
    expect(stdout).toMatch(new RegExp(`^${set}:\\s+00000000a80425fb$`, 'm'));
  expect(stdout).toMatch(/^CapAmb:\s+0000000000000000$/m);
  expect(stdout).toMatch(/^Seccomp:\s+2$/m);
  expect(stdout).toMatch(/^NoNewPrivs:\s+0$/m);
  const restricted = await laboratory.run('cat /proc/self/status; unshare -u true', {
    spec: (spec) => ({ ...spec, process: { ...spec.process, noNewPrivileges: true } }),
  });
  expect(restricted.stdout).toMatch(/^NoNewPrivs:\s+1$/m);
  expect(restricted.stdout).toMatch(/^Seccomp:\s+2$/m);
  expect(restricted.stderr).toContain('Operation not permitted');
});

test('streams, exit code, working directory, environment, names', async () => {
  const result = await laboratory.run('pwd; echo $GREETING $HOME; hostname; echo wrong >&2; exit 7', {
    spec: (spec) => ({ ...spec, process: { ...spec.process, cwd: '/made/for/it' } }),
  });
  expect(result.stdout).toBe('/made/for/it\nhello /root\nberth-test\n');
  expect(result.stderr).toBe('wrong\n');
  expect(result).toMatchObject({ exitCode: 7, oomKilled: false });
  const exit = JSON.parse(readFileSync(`${result.request.stateDirectory}/exit.json`, 'utf8')) as unknown;
  expect(exit).toEqual({ exitCode: 7, oomKilled: false, finishedAtMs: result.finishedAtMs });
  expect(result.entries[0]?.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  await until(() => !exists(`${result.request.stateDirectory}/shim.sock`));
  expect(exists(laboratory.cgroup(result.request.containerId))).toBe(false);
});

test('layers lie over each other, and writes go to the upper directory alone', async () => {
  const { writeFile } = await import('node:fs/promises');
  const result = await laboratory.run('cat /etc/two; echo new > /etc/two; rm /etc/group; cat /etc/two', {
    layer: async (directory) => {
      const { mkdir } = await import('node:fs/promises');
      await mkdir(`${directory}/etc`);
      await writeFile(`${directory}/etc/two`, 'second\n');
    },
  });
  expect(result.stdout).toBe('second\nnew\n');
  expect(readdirSync(join(result.upper, 'etc')).toSorted()).toEqual(['group', 'two']);
  expect(exists(`${laboratory.rootfs}/etc/group`)).toBe(true);
});

test('three hundred layers', async () => {
  const { mkdir } = await import('node:fs/promises');
  const request = await laboratory.request('ls -d /layer* | wc -l');
  const layers: string[] = [laboratory.rootfs];
  for (let index = 0; index < 300; index += 1) {
    const layer = `${request.stateDirectory}/../${'long'.repeat(20)},:${index}`;
    await mkdir(`${layer}/layer${index}`, { recursive: true });
    layers.push(layer);
  }
  await using shim = await laboratory.launcher.launch({ ...request, root: overlay(request, layers) });
  expect((await shim.exit).exitCode).toBe(0);
  expect(readLog(request.stateDirectory).stdout.trim()).toBe('300');
});

test('users by name and number, with their groups', async () => {
  const who = async (user: string, additionalGroups: string[] = []) =>
    (await laboratory.run('id; echo $HOME', { request: { user, additionalGroups } })).stdout;
  expect(await who('web')).toBe('uid=1000(web) gid=1001(web) groups=8(mail),44(video),1001(web)\n/home\n');
  expect(await who('1000')).toBe('uid=1000(web) gid=1001(web) groups=8(mail),44(video),1001(web)\n/home\n');
  expect(await who('web:mail')).toBe('uid=1000(web) gid=8(mail) groups=8(mail)\n/home\n');
  expect(await who('4711:4712', ['video', '99'])).toBe('uid=4711 gid=4712 groups=44(video),99,4712\n/\n');
});

test('a failure names operation, object and errno, and leaves nothing', async () => {
  const attempt = async (args: string[], user = '') => {
    const request = await laboratory.request('', {
      spec: (spec) => ({ ...spec, process: { ...spec.process, args } }),
      request: { user },
    });
    const error: unknown = await laboratory.launcher.launch(request).catch((failure: unknown) => failure);
    expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
    expect(readdirSync(request.stateDirectory)).toEqual([]);
    return error;
  };
  expect(await attempt(['nosuch'])).toMatchObject({
    code: 'launch.command-not-found',
    message: expect.stringMatching(/execute nosuch: ENOENT: no such file or directory$/) as string,
  });
  expect(await attempt(['/etc/passwd'])).toMatchObject({ code: 'launch.command-not-executable' });
  expect(await attempt(['/etc'])).toMatchObject({ code: 'launch.command-not-executable' });
  expect(await attempt(['sh'], 'nobody')).toMatchObject({
    code: 'launch.user-unknown',
    message: expect.stringContaining('find user nobody') as string,
  });
  expect(await attempt(['sh'], 'web:nogroup')).toMatchObject({ code: 'launch.user-unknown' });
  const request = await laboratory.request('true');
  const root = overlay(request, ['/nonexistent/layer']);
  await expect(laboratory.launcher.launch({ ...request, root })).rejects.toMatchObject({
    code: 'launch.failed',
    message: expect.stringContaining('open layer /nonexistent/layer: ENOENT') as string,
  });
});

test('a failure of the child is told as such, though its links fail with it', async () => {
  const end = link(laboratory.instance, 8);
  await laboratory.launcher.ensureBridge({ name: end.bridge, address: end.gateway, prefixLength: 24 });
  try {
    for (let round = 0; round < 20; round += 1) {
      const request = await laboratory.request('true', { request: { links: [end] } });
      const root = overlay(request, ['/nonexistent/layer']);
      await expect(laboratory.launcher.launch({ ...request, root })).rejects.toThrow('open layer /nonexistent/layer');
      const late = await laboratory.request('true', {
        spec: (spec) => ({ ...spec, linux: { ...spec.linux, sysctl: { 'net.nosuch': '1' } } }),
        request: { links: [end] },
      });
      await expect(laboratory.launcher.launch(late)).rejects.toThrow('open sysctl net/nosuch');
    }
  } finally {
    await laboratory.launcher.removeLink(end.bridge);
  }
});

test('a veth into a bridge with address and route; gone with the container', async () => {
  const end = link(laboratory.instance, 9);
  const bridge = { name: end.bridge, address: end.gateway, prefixLength: 24 };
  try {
    await laboratory.launcher.ensureBridge(bridge);
    await laboratory.launcher.ensureBridge(bridge);
    const result = await laboratory.run(
      `cat /sys/class/net/eth0/address; ip route; ping -c 1 -W 30 ${end.gateway} >/dev/null`,
      {
        request: { links: [end] },
      },
    );
    expect(result.stdout).toBe(`${end.macAddress}\n${routesOf(end)}`);
    expect(result.exitCode).toBe(0);
    await until(() => !exists(`/sys/class/net/${end.hostName}`));
    const missing = await laboratory.request('true', { request: { links: [{ ...end, bridge: 'nosuchbridge' }] } });
    await expect(laboratory.launcher.launch(missing)).rejects.toThrow('find bridge nosuchbridge');
    expect(exists(laboratory.cgroup(missing.containerId))).toBe(false);
  } finally {
    await laboratory.launcher.removeLink(end.hostName);
    await laboratory.launcher.removeLink(end.bridge);
    await laboratory.launcher.removeLink(end.bridge);
  }
  expect(exists(`/sys/class/net/${end.bridge}`)).toBe(false);
});

test('thirty at once', async () => {
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, index) => laboratory.run(`echo ${index}; exit ${index}`)),
  );
  expect(results.map(({ exitCode, stdout }) => [exitCode, stdout])).toEqual(
    results.map((_, index) => [index, `${index}\n`]),
  );
});

test('a limit that may not be raised is a warning', async () => {
  const result = await laboratory.run('ulimit -n; ulimit -c', {
    spec: (spec) => ({
      ...spec,
      process: {
        ...spec.process,
        oomScoreAdj: 100,
        rlimits: [
          { type: 'RLIMIT_NOFILE', soft: 77, hard: 99 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        ],
      },
    }),
  });
  expect(result.stdout).toBe('77\n0\n');
  const lowered = await laboratory.run('ulimit -Hn', {
    spec: (spec) => ({
      ...spec,
      process: { ...spec.process, rlimits: [{ type: 'RLIMIT_NOFILE', soft: 5, hard: 2 ** 40 }] },
    }),
  });
  // More than fs.nr_open: refused even to a process that may raise its limits.
  expect(Number(lowered.stdout)).toBeGreaterThan(5);
  expect(laboratory.warnings).toContain('raise resource limit hard limit kept: EPERM: operation not permitted');
});

test('stop: its own end, or killed after the timeout even if nobody waits', async () => {
  const polite = await laboratory.request('trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done');
  await using shim = await laboratory.launcher.launch(polite);
  await until(() => readLog(polite.stateDirectory).stdout === 'ready\n');
  await shim.stop(15, 60_000);
  expect((await shim.exit).exitCode).toBe(3);

  const stubborn = await laboratory.request('trap "" TERM; echo ready; while :; do sleep 1000; done');
  const second = await laboratory.launcher.launch(stubborn);
  await until(() => readLog(stubborn.stateDirectory).stdout === 'ready\n');
  await second.stop(15, 300);
  const { pid } = second;
  await second[Symbol.asyncDispose]();
  await until(() => !isAlive(pid) && exists(`${stubborn.stateDirectory}/exit.json`));
  expect(await laboratory.launcher.connect(stubborn.stateDirectory)).toBeUndefined();
});

test('a container is found again by its state directory, and told of its end', async () => {
  const request = await laboratory.request('read line; echo $line; exit 5', { request: { stdin: true } });
  const first = await laboratory.launcher.launch(request);
  await first[Symbol.asyncDispose]();
  const again = await laboratory.launcher.connect(request.stateDirectory);
  expect(again?.pid).toBe(first.pid);
  const session = await again?.attach();
  session?.stdin.end('typed\n');
  expect(await session?.exit).toBe(5);
  expect((await again?.exit)?.exitCode).toBe(5);
  expect(readLog(request.stateDirectory).stdout).toBe('typed\n');
});
