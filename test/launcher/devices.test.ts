import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuntimeDevice, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { capabilityNumbers } from '../../runner/security/capability-numbers.ts';
import { exists, Laboratory, mapped } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

const withDevices =
  (...devices: readonly RuntimeDevice[]) =>
  (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    linux: { ...spec.linux, devices: [...spec.linux.devices, ...devices] },
  });
const node = (path: string, change: Partial<RuntimeDevice> = {}): RuntimeDevice => ({
  path,
  type: 'c',
  major: 1,
  minor: 5,
  fileMode: 0o640,
  uid: 0,
  gid: 0,
  ...change,
});

test('nodes of every type, with mode and owner, also in new directories', async () => {
  const { stdout } = await laboratory.run(
    'stat -c "%F %t:%T %a %u:%g" /dev/x /dev/a/b/disk /dev/pipe; head -c 3 /dev/x | wc -c',
    {
      spec: withDevices(
        node('/dev/x', { fileMode: 0o666, uid: 12, gid: 34 }),
        node('/dev/a/b/disk', { type: 'b', major: 7, minor: 77 }),
        node('/dev/pipe', { type: 'p', major: 0, minor: 0, fileMode: 0o600, uid: 5 }),
      ),
    },
  );
  expect(stdout).toBe('character special file 1:5 666 12:34\nblock special file 7:4d 640 0:0\nfifo 0:0 600 5:0\n3\n');
});

test('a device that is there already is the same one, or a mistake', async () => {
  const same = await laboratory.run('stat -c %t:%T /dev/null', { spec: withDevices(node('/dev/null', { minor: 3 })) });
  expect(same.stdout).toBe('1:3\n');
  const other = await laboratory.request('true', { spec: withDevices(node('/dev/null')) });
  await expect(laboratory.launcher.launch(other)).rejects.toThrow('make device /dev/null: EEXIST');
});

test('a privileged container: every capability that we have, no filter, no masks, rw sysfs and cgroup, all devices', async () => {
  const all = [...capabilityNumbers.keys()].map((name) => `CAP_${name}`);
  const result = await laboratory.run(
    `grep -E "^(CapEff|Seccomp:)" /proc/self/status; mkdir /sys/fs/cgroup/inner && rmdir /sys/fs/cgroup/inner && echo cgroup
     grep -E " /(sys|proc) " /proc/self/mountinfo | cut -d" " -f6 | cut -d, -f1
     grep -q CPU0 /proc/interrupts && echo unmasked; stat -c %t:%T /dev/mem; mount -t tmpfs none /tmp && echo mounted; mknod /tmp/k b 7 9 && echo made`,
    {
      spec: (spec) => {
        const { seccomp: _, ...linux } = withDevices(node('/dev/mem', { minor: 1 }))(spec).linux;
        return {
          ...spec,
          process: {
            ...spec.process,
            capabilities: { bounding: all, effective: all, permitted: all, inheritable: [], ambient: [] },
          },
          mounts: spec.mounts.map((mount) => ({ ...mount, options: mount.options.filter((word) => word !== 'ro') })),
          linux: { ...linux, maskedPaths: [], readonlyPaths: [], resources: { devices: [{ allow: true }] } },
        };
      },
    },
  );
  const own = /^CapEff:\s+\w+$/m.exec(execFileSync('cat', ['/proc/self/status'], { encoding: 'utf8' }))?.[0] ?? '';
  expect(result.stdout).toContain(`${own}\n`);
  for (const word of ['Seccomp:\t0\n', 'cgroup\n', 'rw\nrw\n', 'unmasked\n', '1:1\n', 'mounted\n', 'made\n']) {
    expect(result.stdout).toContain(word);
  }
});

test('device rules are in force: the last that matches decides', async () => {
  const { stdout, stderr } = await laboratory.run('head -c 1 /dev/zero | wc -c; head -c 1 /dev/urandom | wc -c', {
    spec: (spec) => ({
      ...spec,
      linux: {
        ...spec.linux,
        resources: { devices: [{ allow: true }, { allow: false, type: 'c', major: 1, minor: 9, access: 'r' }] },
      },
    }),
  });
  expect(stdout).toBe('1\n0\n');
  expect(stderr).toContain('/dev/urandom: Operation not permitted');
});

test("in a user namespace a node is the host's, verified to be the one that is meant", async () => {
  const own = join(laboratory.directory, 'own-zero');
  execFileSync('mknod', ['-m', '666', own, 'c', '1', '5']);
  const run = (device: RuntimeDevice) =>
    laboratory.request('head -c 2 /dev/own | wc -c; stat -c %t:%T /dev/own', {
      spec: (spec) => mapped(withDevices(device)(spec)),
    });
  await using shim = await laboratory.launcher.launch(await run(node('/dev/own', { source: own })));
  expect((await shim.exit).exitCode).toBe(0);
  await expect(laboratory.launcher.launch(await run(node('/dev/own', { source: own, minor: 8 })))).rejects.toThrow(
    `verify device of the host ${own}: ENODEV`,
  );
  await expect(laboratory.launcher.launch(await run(node('/dev/own')))).rejects.toThrow(
    'open device of the host /dev/own: ENOENT',
  );
  expect(readdirSync(laboratory.directory)).toContain('own-zero');
  expect(exists('/dev/own')).toBe(false);
});
