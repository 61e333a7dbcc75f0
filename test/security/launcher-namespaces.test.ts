import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuntimeDevice, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { execIn, shell } from '../launcher/exec-in.ts';
import { exists, Laboratory, mapped } from '../launcher/fixture.ts';

/** The doors that joined and user namespaces, devices and privileged execs could open. */
let laboratory: Laboratory;
let outside: string;
beforeAll(async () => {
  laboratory = await Laboratory.open();
  outside = await mkdtemp('/tmp/berth-outside-');
});
afterAll(async () => {
  await laboratory[Symbol.asyncDispose]();
  await rm(outside, { recursive: true });
});

const sharing =
  (type: string, path?: string) =>
  (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    linux: {
      ...spec.linux,
      namespaces: spec.linux.namespaces.flatMap((one) =>
        one.type !== type ? [one] : path === undefined ? [] : [{ type: one.type, path }],
      ),
    },
  });
const device = (path: string): RuntimeDevice => ({
  path,
  type: 'c',
  major: 1,
  minor: 5,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
  source: '/dev/zero',
});
const withDevice =
  (path: string) =>
  (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    linux: { ...spec.linux, devices: [...spec.linux.devices, device(path)] },
  });

test.each(['plain', 'mapped'])('a device below a symlink of the image is made inside (%s)', async (kind) => {
  const layer = async (directory: string) => {
    await symlink('/tmp', join(directory, 'escape'));
    await symlink(outside, join(directory, 'away'));
    await symlink('/proc', join(directory, 'kernel'));
  };
  const spec = (path: string) => (one: RuntimeSpec) => withDevice(path)(kind === 'mapped' ? mapped(one) : one);
  const name = `${laboratory.instance}-zero`;
  const made = await laboratory.run('ls /tmp', { spec: spec(`/escape/${name}`), layer });
  expect(made).toMatchObject({ exitCode: 0, stdout: `${name}\n` });
  expect(exists(`/tmp/${name}`)).toBe(false);
  const away = await laboratory.request('true', { spec: spec('/away/zero'), layer });
  await expect(laboratory.launcher.launch(away)).rejects.toThrow('open directory of device /away/zero');
  expect(readdirSync(outside)).toEqual([]);
  const masked = await laboratory.request('true', { spec: spec('/kernel/zero'), layer });
  await expect(laboratory.launcher.launch(masked)).rejects.toThrow(
    /make device (beneath \/proc or \/sys )?\/kernel\/zero/,
  );
});

test.each(['plain', 'mapped'])('a node or link of the image in place of a device is refused (%s)', async (kind) => {
  const request = await laboratory.request('true', {
    spec: (spec) => withDevice('/opt/zero')(kind === 'mapped' ? mapped(spec) : spec),
    layer: async (directory) => {
      await mkdir(join(directory, 'opt'));
      await symlink(join(outside, 'target'), join(directory, 'opt/zero'));
    },
  });
  await expect(laboratory.launcher.launch(request)).rejects.toThrow(/device \/opt\/zero: EEXIST/);
  expect(existsSync(join(outside, 'target'))).toBe(false);
});

test.each(['/proc', '/proc/self', '/sys/kernel', '/kernel/tty'])(
  'CVE-2019-16884: a mount on %s is refused in a user namespace too',
  async (destination) => {
    const request = await laboratory.request('true', {
      spec: (spec) => ({
        ...mapped(spec),
        mounts: [...spec.mounts, { destination, type: 'bind', source: outside, options: ['rbind', 'idmap'] }],
      }),
      layer: async (directory) => symlink('/proc', join(directory, 'kernel')),
    });
    await expect(laboratory.launcher.launch(request)).rejects.toThrow(
      /must not be covered|mount beneath \/proc or \/sys/,
    );
  },
);

test.each(['plain', 'mapped', 'pid'])(
  'CVE-2024-21626: no descriptor but three, first process and exec (%s)',
  async (kind) => {
    const change = kind === 'mapped' ? mapped : kind === 'pid' ? sharing('pid') : (spec: RuntimeSpec) => spec;
    const request = await laboratory.request('exec sleep 1000', { spec: change });
    await using shim = await laboratory.launcher.launch(request);
    expect(readdirSync(`/proc/${shim.pid}/fd`).toSorted()).toEqual(['0', '1', '2']);
    for (const privileged of [false, true]) {
      const { stdout } = await execIn(shim, 'exec ls /proc/self/fd', { privileged });
      expect(stdout).toBe('0\n1\n2\n3\n'); // the last is of ls itself
    }
    expect(readlinkSync(`/proc/${shim.pid}/cwd`)).toBe('/');
    await shim.signal(9);
    await shim.exit;
  },
);

test('root of a user namespace is nobody to the host: files, signals, settings', async () => {
  await writeFile(join(outside, 'secret'), 'x', { mode: 0o600 });
  const request = await laboratory.request('exec sleep 1000', {
    spec: (spec) => {
      const own = mapped(sharing('pid')(spec));
      const mounts = own.mounts
        .filter(({ type }) => type !== 'proc')
        .concat([{ destination: '/host', type: 'bind', source: outside, options: ['rbind', 'ro'] }]);
      return { ...own, mounts, linux: { ...own.linux, maskedPaths: [], readonlyPaths: [] } };
    },
  });
  await using shim = await laboratory.launcher.launch(request);
  const { stdout, stderr } = await execIn(
    shim,
    `cat /host/secret; kill -0 ${process.pid}; hostname other && hostname`,
    {
      privileged: true,
    },
  );
  expect(stdout).toBe('other\n');
  expect(stderr).toMatch(/secret'?: Permission denied/);
  expect(stderr).toMatch(/Operation not permitted/);
  await shim.signal(9);
  await shim.exit;
  await rm(join(outside, 'secret'));
});

test("a set-user-ID file of the container's root is nothing on the host", async () => {
  const request = await laboratory.request('cp /bin/busybox /tmp/root; chmod 4755 /tmp/root; stat -c %u:%a /tmp/root', {
    spec: mapped,
  });
  await using shim = await laboratory.launcher.launch(request);
  expect((await shim.exit).exitCode).toBe(0);
  const { upper } = request.root as { upper: string };
  // On disk it is root's: so the way to it must be closed to all but root.
  expect(statSync(join(upper, 'tmp/root'))).toMatchObject({ uid: 0 });
});

test('a container in a user namespace cannot join what is not its own', async () => {
  await using first = await laboratory.launcher.launch(await laboratory.request('exec sleep 1000'));
  const request = await laboratory.request('true', {
    spec: (spec) => mapped(sharing('network', `/proc/${first.pid}/ns/net`)(spec)),
  });
  await expect(laboratory.launcher.launch(request)).rejects.toThrow('join network namespace: EPERM');
  expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
  await first.signal(9);
  await first.exit;
});

test('an exec cannot be kept from its end by what it does with its cgroup', async () => {
  const request = await laboratory.request('exec sleep 1000', {
    spec: (spec) => ({
      ...spec,
      mounts: spec.mounts.map((mount) =>
        mount.type === 'cgroup' ? { ...mount, options: mount.options.filter((word) => word !== 'ro') } : mount,
      ),
    }),
  });
  await using shim = await laboratory.launcher.launch(request);
  const script =
    'cd /sys/fs/cgroup/exec-1; mkdir -p a/b; echo $$ > a/b/cgroup.procs; mkdir ../exec-2 ../exec-3; echo in; sleep 1000';
  const session = await shim.exec(shell(script));
  await new Promise((resolve) => session.stdout.once('data', resolve));
  session.stdout.resume();
  expect((await execIn(shim, 'grep ^0 /proc/self/cgroup')).stdout).toBe('0::/exec-4\n');
  await session.kill();
  expect(await session.exit).toBe(137);
  await shim.signal(9);
  await shim.exit;
  expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
});
