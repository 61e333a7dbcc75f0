import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NamespaceType, RuntimeNamespace, RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import { execIn, shell } from './exec-in.ts';
import { exists, isAlive, Laboratory, link, namespaceOf, until } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

const files = { pid: 'pid', network: 'net', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' } as const;
type Shareable = keyof typeof files;

/** Replaces namespaces; undefined leaves one out, so that it is the host's. */
const withNamespaces =
  (changes: Partial<Record<NamespaceType, string | undefined>>) =>
  (spec: RuntimeSpec): RuntimeSpec => ({
    ...spec,
    linux: {
      ...spec.linux,
      namespaces: spec.linux.namespaces.flatMap((one): RuntimeNamespace[] => {
        if (!(one.type in changes)) return [one];
        const path = changes[one.type];
        return path === undefined ? [] : [{ type: one.type, path }];
      }),
    },
  });

test.each(Object.keys(files) as Shareable[])(
  "the %s namespace of the host, and another container's; an exec has it too",
  async (type) => {
    const { launcher } = laboratory;
    const own = await laboratory.request('exec sleep 1000', { spec: withNamespaces({ [type]: undefined }) });
    await using host = await launcher.launch(own);
    await using first = await launcher.launch(await laboratory.request('exec sleep 1000'));
    const path = `/proc/${first.pid}/ns/${files[type]}`;
    await using second = await launcher.launch(
      await laboratory.request('exec sleep 1000', { spec: withNamespaces({ [type]: path }) }),
    );
    const file = files[type];
    expect(await namespaceOf(host.pid, file)).toBe(await namespaceOf('self', file));
    expect(await namespaceOf(second.pid, file)).toBe(await namespaceOf(first.pid, file));
    expect(await namespaceOf(second.pid, file)).not.toBe(await namespaceOf('self', file));
    for (const other of Object.values(files).filter((name) => name !== file)) {
      expect(await namespaceOf(second.pid, other)).not.toBe(await namespaceOf(first.pid, other));
      expect(await namespaceOf(host.pid, other)).not.toBe(await namespaceOf('self', other));
    }
    for (const shim of [host, second]) {
      const { stdout } = await execIn(shim, `readlink /proc/self/ns/${file}`);
      expect(stdout.trim()).toBe(await namespaceOf(shim.pid, file));
    }
    for (const shim of [second, host, first]) {
      await shim.signal(9);
      await shim.exit;
    }
  },
);

test.each([undefined, 'joined'])('the end of a first process that is no init ends all others (%s)', async (kind) => {
  const { launcher } = laboratory;
  await using first = await launcher.launch(await laboratory.request('exec sleep 1000'));
  const path = kind === undefined ? undefined : `/proc/${first.pid}/ns/pid`;
  const request = await laboratory.request('sleep 1000 & yes & echo $$; read line; exit 4', {
    spec: withNamespaces({ pid: path }),
    request: { stdin: true },
  });
  await using second = await launcher.launch(request);
  await using attached = await second.attach();
  const orphan = await second.exec(shell('setsid sleep 1000 & echo started; exit 0'));
  orphan.stdout.resume();
  attached.stdout.resume();
  expect(await orphan.exit).toBe(0);
  attached.stdin.end('\n');
  expect((await second.exit).exitCode).toBe(4);
  expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
  expect(isAlive(first.pid)).toBe(true);
  expect(readdirSync(request.stateDirectory)).toContain('exit.json');
  await first.signal(9);
  await first.exit;
});

test('a container ends with the pid namespace that it was let into', async () => {
  const { launcher } = laboratory;
  await using first = await launcher.launch(await laboratory.request('exec sleep 1000'));
  const request = await laboratory.request('exec sleep 1000', {
    spec: withNamespaces({ pid: `/proc/${first.pid}/ns/pid` }),
  });
  await using second = await launcher.launch(request);
  const sleeping = async () => (await execIn(second, 'ps -o args | grep -c "^sleep 1000$"')).stdout;
  await expect.poll(sleeping).toBe('2\n'); // its own, and that of the first
  await first.signal(9);
  expect((await second.exit).exitCode).toBe(137);
  await until(() => !exists(laboratory.cgroup(request.containerId)));
});

test('names of a shared uts namespace stay as they are', async () => {
  const result = await laboratory.run('hostname', { spec: withNamespaces({ uts: undefined }) });
  expect(result.stdout).not.toBe('berth-test\n');
});

test('what cannot be joined is named', async () => {
  const { launcher } = laboratory;
  const wrong = async (changes: Partial<Record<NamespaceType, string>>, text: string | RegExp) => {
    const request = await laboratory.request('true', { spec: withNamespaces(changes) });
    await expect(launcher.launch(request)).rejects.toThrow(text);
    expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
  };
  const uts = `/proc/${process.pid}/ns/uts`;
  await wrong({ network: uts }, `verify the type of namespace ${uts}: EINVAL`);
  await wrong({ network: '/etc/passwd' }, 'verify the type of namespace /etc/passwd');
  await wrong({ ipc: '/proc/4194305/ns/ipc' }, 'open namespace /proc/4194305/ns/ipc: ENOENT');
  await wrong({ pid: '/dev/tty' }, /namespace \/dev\/tty/);
  const end = link(laboratory.instance, 30);
  const linked = await laboratory.request('true', {
    spec: withNamespaces({ network: undefined }),
    request: { links: [end] },
  });
  await expect(launcher.launch(linked)).rejects.toMatchObject({ code: 'launch.invalid' });
});

test("a sysctl of the host's namespace is refused, though the namespace is named by a path", async () => {
  const request = await laboratory.request('true', {
    spec: (spec) => {
      const shared = withNamespaces({ network: '/proc/self/ns/net' })(spec);
      return { ...shared, linux: { ...shared.linux, sysctl: { 'net.ipv4.ip_default_ttl': '99' } } };
    },
  });
  await expect(laboratory.launcher.launch(request)).rejects.toThrow(
    'write sysctl of the host net/ipv4/ip_default_ttl: EPERM',
  );
});

test('a root that is a directory', async () => {
  const request = await laboratory.request('echo made > /tmp/in-root; cat /etc/group | head -1', {
    request: { root: { kind: 'directory', path: laboratory.rootfs } },
  });
  await using shim = await laboratory.launcher.launch(request);
  expect((await shim.exit).exitCode).toBe(0);
  expect(exists(`${laboratory.rootfs}/tmp/in-root`)).toBe(true);
});

test.each(['private', 'slave', 'shared'] as const)('the root is mounted %s', async (rootfsPropagation) => {
  const { stdout } = await laboratory.run("grep -m1 ' / / ' /proc/self/mountinfo", {
    spec: (spec) => ({ ...spec, linux: { ...spec.linux, rootfsPropagation } }),
  });
  expect(stdout.includes(' shared:')).toBe(rootfsPropagation === 'shared');
});

test('an AppArmor profile where the kernel has no AppArmor is refused as such', async () => {
  if (exists('/sys/module/apparmor')) return;
  const request = await laboratory.request('true', {
    spec: (spec) => ({ ...spec, process: { ...spec.process, apparmorProfile: 'docker-default' } }),
  });
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({
    code: 'launch.unsupported',
    message: expect.stringContaining('apply AppArmor profile docker-default') as string,
  });
});
