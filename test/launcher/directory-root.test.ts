import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RuntimeSpec } from '#shared/oci/runtime-spec.ts';
import type { LaunchRequest } from '../../runner/launcher/launcher.ts';
import { Laboratory, mapped, readLog, type LaunchChange } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

/** The request of a container whose root is a complete tree of its own. */
async function request(script: string, change: LaunchChange = {}): Promise<LaunchRequest & { readonly tree: string }> {
  const made = await laboratory.request(script, change);
  const tree = join(made.stateDirectory, '..', 'root');
  execFileSync('cp', ['-a', laboratory.rootfs, tree]);
  return { ...made, root: { kind: 'directory', path: tree }, tree };
}

async function run(script: string, change: LaunchChange = {}) {
  const made = await request(script, change);
  await using shim = await laboratory.launcher.launch(made);
  const { exitCode } = await shim.exit;
  return { exitCode, tree: made.tree, ...readLog(made.stateDirectory) };
}

test('its root is that directory, and nothing of the host is in sight', async () => {
  const { exitCode, stdout, tree } = await run(
    'echo here > /written; rm /etc/group; ls -d /proc/1 /dev/null; ls /..; ls /written',
  );
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^\/dev\/null$/m);
  expect(stdout).toMatch(/^\/written$/m);
  expect(readFileSync(join(tree, 'written'), 'utf8')).toBe('here\n');
  expect(existsSync(join(tree, 'etc/group'))).toBe(false);
  expect(existsSync(join(laboratory.rootfs, 'etc/group'))).toBe(true);
  const mounts = await run('cat /proc/self/mountinfo');
  const [root = '', ...others] = mounts.stdout.trim().split('\n');
  expect(root.split(' ')[4]).toBe('/');
  expect(root).not.toMatch(/shared:|master:/);
  expect(others.join('\n')).not.toContain(laboratory.directory);
});

test('it can be read-only, which the directory itself is not', async () => {
  const { exitCode, stderr, tree } = await run('touch /file', {
    spec: (spec) => ({ ...spec, root: { ...spec.root, readonly: true } }),
  });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Read-only') as string });
  writeFileSync(join(tree, 'file'), '');
});

test('in a user namespace its files keep their owners on disk', async () => {
  const { stdout, tree } = await run(
    'id -u; stat -c %u:%g /etc/passwd; touch /mine; chown 33:44 /mine; stat -c %u:%g /mine; cat /proc/self/mountinfo',
    { spec: mapped },
  );
  expect(stdout).toMatch(/^0\n0:0\n33:44\n/);
  expect(stdout.split('\n').find((line) => line.split(' ')[4] === '/')).not.toMatch(/shared:|master:/);
  expect(statSync(join(tree, 'mine'))).toMatchObject({ uid: 33, gid: 44 });
});

test('a link, a file or nothing in its place is refused', async () => {
  for (const put of [
    (path: string) => symlinkSync('/', path),
    (path: string) => writeFileSync(path, ''),
    () => undefined,
  ]) {
    for (const spec of [(one: RuntimeSpec) => one, mapped]) {
      const made = await laboratory.request('true', { spec });
      const around = join(made.stateDirectory, '..', 'other');
      mkdirSync(around);
      const path = join(around, 'root');
      put(path);
      const launched = laboratory.launcher.launch({ ...made, root: { kind: 'directory', path } });
      await expect(launched).rejects.toThrow(/root/);
    }
  }
});
