import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuntimeMount, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { Laboratory } from '../launcher/fixture.ts';

let laboratory: Laboratory;
let outside: string;
beforeAll(async () => {
  laboratory = await Laboratory.open();
  outside = await mkdtemp('/tmp/berth-outside-');
  await writeFile(join(outside, 'file'), 'of the host\n');
});
afterAll(async () => {
  await laboratory[Symbol.asyncDispose]();
  await rm(outside, { recursive: true });
});

const withMounts = (...mounts: RuntimeMount[]) => ({
  spec: (spec: RuntimeSpec): RuntimeSpec => ({ ...spec, mounts: [...spec.mounts, ...mounts] }),
});
const bind = (source: string, destination: string): RuntimeMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', 'rprivate'],
});

/** Layers whose directory is a symlink replace the directory below only when that is removed by an opaque entry. */
const replaced = (name: string, target: string) => async (directory: string) => {
  await mkdir(join(directory, name, '..'), { recursive: true });
  await symlink(target, join(directory, name));
};

test('masked paths are masked, read-only paths are read-only', async () => {
  const { stdout, stderr } = await laboratory.run(
    `for p in /proc/keys /proc/timer_list /proc/interrupts; do wc -c < $p; stat -c %t:%T $p; done
     ls /proc/acpi /sys/firmware | grep -v : | grep . ; touch /sys/firmware/x
     for p in /proc/sys/kernel/hostname /proc/irq/default_smp_affinity /sys/kernel/notes; do echo x > $p; done; true`,
  );
  expect(stdout).toBe('0\n1:3\n0\n1:3\n0\n1:3\n');
  expect(stderr.match(/Read-only file system/g)?.length).toBe(4);
});

test.each(['/proc', '/sys'])('CVE-2019-19921: an image in which %s is a symlink is refused', async (path) => {
  const request = await laboratory.request('true', { layer: replaced(path.slice(1), '/tmp') });
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({
    message: expect.stringMatching(/open mount point \/(proc|sys): (ELOOP|ENOTDIR)/) as string,
  });
});

test.each([
  ['/proc', 'on'],
  ['/proc/self/attr', 'under'],
  ['/sys/kernel', 'under'],
  ['/safe/kernel', 'through a symlink, under'],
])('CVE-2019-16884: a bind to %s, %s the masked file systems, is refused', async (destination) => {
  const request = await laboratory.request('true', {
    ...withMounts(bind(outside, destination)),
    layer: replaced('safe', '/sys'),
  });
  await expect(laboratory.launcher.launch(request)).rejects.toThrow(
    /must not be covered|mount beneath \/proc or \/sys/,
  );
});

test.each(['/link/deep/er', '/link', '/absolute/new', '/loop/x'])(
  'CVE-2021-30465: a mount point %s whose symlinks lead out stays inside',
  async (destination) => {
    const before = readdirSync(outside);
    const layer = async (directory: string) => {
      await symlink(`../../../../../../../..${outside}`, join(directory, 'link'));
      await symlink(outside, join(directory, 'absolute'));
      await symlink('loop', join(directory, 'loop'));
    };
    const request = await laboratory.request('cat /tmp/none 2>/dev/null; true', {
      ...withMounts(bind('/etc/hostname', destination)),
      layer,
    });
    await laboratory.launcher.launch(request).then(
      async (shim) => {
        await shim.exit;
        await shim[Symbol.asyncDispose]();
      },
      (error: unknown) => expect(error).toMatchObject({ code: 'launch.failed' }),
    );
    expect(readdirSync(outside)).toEqual(before);
  },
);

test('CVE-2024-45310: a missing mount point is made inside, even below a symlink of the image', async () => {
  const { stdout } = await laboratory.run('cat /link/made/here; ls -d /real/made/here', {
    ...withMounts(bind(join(outside, 'file'), '/link/made/here')),
    layer: async (directory) => {
      await mkdir(join(directory, 'real'));
      await symlink('/real', join(directory, 'link'));
    },
  });
  expect(stdout).toBe('of the host\n/real/made/here\n');
});

test('CVE-2025-31133: a mask whose source is not device 1:3 is refused', async () => {
  const request = await laboratory.request('true', {
    request: { stdin: true }, // else the same device would be refused as standard input
    spec: (spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        devices: spec.linux.devices.map((device) => (device.path === '/dev/null' ? { ...device, minor: 5 } : device)),
      },
    }),
  });
  await expect(laboratory.launcher.launch(request)).rejects.toThrow('verify mask (device 1:3) /dev/null: EPERM');
  const linked = await laboratory.request('true', {
    spec: (spec) => ({
      ...spec,
      mounts: spec.mounts.filter(({ destination }) => !destination.startsWith('/dev')),
      linux: { ...spec.linux, devices: [] },
    }),
    layer: async (directory) => {
      await mkdir(join(directory, 'dev'));
      await symlink('/proc/sysrq-trigger', join(directory, 'dev/null'));
    },
  });
  await expect(laboratory.launcher.launch(linked)).rejects.toThrow(/\/dev\/null/);
});

test('CVE-2025-52565: /dev/console is the pty itself, and a symlink in its place is refused', async () => {
  const terminal = (spec: RuntimeSpec): RuntimeSpec => ({ ...spec, process: { ...spec.process, terminal: true } });
  const { stdout } = await laboratory.run(
    'tty; [ "$(stat -c %t:%T /dev/console)" = "$(stat -c %t:%T /dev/pts/0)" ] && echo same',
    {
      spec: terminal,
    },
  );
  expect(stdout.replaceAll('\r', '')).toBe('/dev/pts/0\nsame\n');
  const linked = await laboratory.request('true', {
    spec: (spec) => ({
      ...terminal(spec),
      mounts: spec.mounts.filter(({ destination, type }) => type !== 'tmpfs' && destination !== '/dev/mqueue'),
      linux: { ...spec.linux, devices: [], maskedPaths: [] },
    }),
    layer: async (directory) => {
      await mkdir(join(directory, 'dev'));
      await symlink(join(outside, 'console'), join(directory, 'dev/console'));
    },
  });
  await expect(laboratory.launcher.launch(linked)).rejects.toThrow(/make \/dev\/console: EEXIST/);
  expect(existsSync(join(outside, 'console'))).toBe(false);
});

test('CVE-2025-52881: a sysctl is written to the real file, never through what the image has at /proc', async () => {
  const { stdout } = await laboratory.run('cat /proc/sys/net/ipv4/ip_default_ttl', {
    spec: (spec) => ({ ...spec, linux: { ...spec.linux, sysctl: { 'net.ipv4.ip_default_ttl': '77' } } }),
  });
  expect(stdout).toBe('77\n');
  expect(await readFile('/proc/sys/net/ipv4/ip_default_ttl', 'utf8')).not.toBe('77\n');
  for (const name of ['net/../../sysrq-trigger', 'net/../../self/comm']) {
    const climbing = await laboratory.request('true', {
      spec: (spec) => ({ ...spec, linux: { ...spec.linux, sysctl: { [name]: 'h' } } }),
    });
    await expect(laboratory.launcher.launch(climbing)).rejects.toThrow(/sysctl/);
  }
});

test('CVE-2025-52881: a sysctl is not written through what an image has at /proc, where nothing is mounted on it', async () => {
  const file = join(outside, 'ip_default_ttl');
  await writeFile(file, 'of the host\n');
  const { exitCode } = await laboratory.run('true', {
    spec: (spec) => ({
      ...spec,
      mounts: spec.mounts.filter(({ destination }) => destination !== '/proc'),
      linux: {
        ...spec.linux,
        maskedPaths: [],
        readonlyPaths: [],
        sysctl: { 'net.ipv4.ip_default_ttl': '77' },
      },
    }),
    layer: async (directory) => {
      await mkdir(join(directory, 'proc/sys/net'), { recursive: true });
      await symlink(outside, join(directory, 'proc/sys/net/ipv4'));
    },
  });
  expect(exitCode).toBe(0);
  expect(await readFile(file, 'utf8')).toBe('of the host\n');
  await rm(file);
});

test('CVE-2022-0492: the cgroup file system is this cgroup alone, and read-only', async () => {
  const { stdout, stderr } = await laboratory.run(
    'cat /proc/self/cgroup | grep ^0; mkdir /sys/fs/cgroup/x; echo 1 > /sys/fs/cgroup/cgroup.freeze; unshare -rm true; true',
  );
  expect(stdout).toBe('0::/\n');
  expect(stderr.match(/Read-only file system/g)?.length).toBe(2);
});

test('CVE-2022-29162: inheritable and ambient capabilities are empty for a user too', async () => {
  const { stdout } = await laboratory.run('grep Cap /proc/self/status', { request: { user: 'web' } });
  expect(stdout.match(/0000000000000000/g)?.length).toBe(4);
  expect(stdout).toMatch(/CapBnd:\s+00000000a80425fb/);
});

test('CVE-2022-36109: the supplementary groups are those of the user alone, the primary one among them', async () => {
  const { stdout } = await laboratory.run('grep Groups: /proc/self/status', { request: { user: '4711:4711' } });
  expect(stdout).toMatch(/^Groups:\s4711\s*$/);
});

test.each(['-1', '4294967295', '2147483648', '1e3', ' 0', '0x0', '+0', '1000:-1', '0:4294967296'])(
  'CVE-2026-30892: "%s" is no user',
  async (user) => {
    const request = await laboratory.request('true', { request: { user } });
    await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({ code: 'launch.user-unknown' });
  },
);

test('CVE-2022-23648: /etc/passwd is read beneath the root, as a regular file, up to a limit', async () => {
  const passwd = (make: (path: string) => Promise<unknown>) =>
    laboratory.request('id -u', {
      request: { user: 'intruder' },
      layer: async (directory) => {
        await mkdir(join(directory, 'etc'));
        await make(join(directory, 'etc/passwd'));
      },
    });
  await writeFile(join(outside, 'passwd'), 'intruder:x:0:0::/:/bin/sh\n');
  const escaping = await passwd((path) => symlink(join(outside, 'passwd'), path));
  await expect(laboratory.launcher.launch(escaping)).rejects.toMatchObject({ code: 'launch.user-unknown' });
  const pipe = await passwd((path) => Promise.resolve(execFileSync('mkfifo', [path])));
  await expect(laboratory.launcher.launch(pipe)).rejects.toThrow('read as a regular file etc/passwd');
  const device = await passwd((path) => Promise.resolve(execFileSync('mknod', [path, 'c', '1', '5'])));
  await expect(laboratory.launcher.launch(device)).rejects.toThrow('read as a regular file etc/passwd');
  const huge = await passwd((path) => writeFile(path, Buffer.alloc(2 * 1024 * 1024, 'a:b\n')));
  await expect(laboratory.launcher.launch(huge)).rejects.toThrow('read etc/passwd: EFBIG');
  const broken = await passwd((path) =>
    writeFile(path, 'intruder:x:-1:0::/:\nintruder:x:12a:0::/:\nintruder\n::::::\n'),
  );
  await expect(laboratory.launcher.launch(broken)).rejects.toMatchObject({ code: 'launch.user-unknown' });
});

test('a file whose name an image chose is not executed from outside: PATH is looked up beneath the root', async () => {
  await writeFile(join(outside, 'tool'), '#!/bin/sh\necho outside\n');
  await chmod(join(outside, 'tool'), 0o755);
  const request = await laboratory.request('', {
    spec: (spec) => ({
      ...spec,
      process: { ...spec.process, args: ['tool'], env: [`PATH=${outside}:/bin`] },
    }),
  });
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({ code: 'launch.command-not-found' });
});

test('AF_ALG and AF_VSOCK sockets, clone3 and keyrings are refused by the filter', async () => {
  const { seccomp } = await import('../launcher/fixture.ts');
  expect(seccomp.syscalls.flatMap(({ names }) => names)).toContain('keyctl');
  const { stderr } = await laboratory.run('unshare -U true; true');
  expect(stderr).toContain('Operation not permitted');
});
