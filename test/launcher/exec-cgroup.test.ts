import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execIn, shell } from './exec-in.ts';
import { isAlive, Laboratory, until } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

const directories = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));

test('an exec has a cgroup below the container, which goes with it', async () => {
  const request = await laboratory.request('exec sleep 1000');
  const cgroup = laboratory.cgroup(request.containerId);
  await using shim = await laboratory.launcher.launch(request);
  const session = await shim.exec(shell('read line', { stdin: true }));
  const [name = ''] = directories(cgroup);
  expect(readFileSync(`${cgroup}/${name}/cgroup.procs`, 'utf8')).toBe(`${session.pid}\n`);
  session.stdin.end('\n');
  expect(await session.exit).toBe(0);
  await until(() => directories(cgroup).length === 0);
  await shim.signal(9);
  await shim.exit;
});

test('kill ends all that came from an exec, and nothing else', async () => {
  const request = await laboratory.request('exec sleep 1000');
  const cgroup = laboratory.cgroup(request.containerId);
  await using shim = await laboratory.launcher.launch(request);
  const other = await shim.exec(shell('exec sleep 1000'));
  const session = await shim.exec(shell('(setsid sleep 1000 &) ; (trap "" TERM; sleep 1000) & echo up; wait'));
  await new Promise((resolve) => session.stdout.once('data', resolve));
  session.stdout.resume();
  await session.kill();
  expect(await session.exit).toBe(137);
  await until(() => directories(cgroup).length === 1);
  expect(isAlive(shim.pid) && isAlive(other.pid)).toBe(true);
  await session.kill(); // nothing is left
  await shim.signal(9);
  await shim.exit;
  expect(isAlive(other.pid)).toBe(false);
});

test('what an exec leaves running goes on, its cgroup with it; kill still reaches it', async () => {
  const request = await laboratory.request('exec sleep 1000');
  const cgroup = laboratory.cgroup(request.containerId);
  await using shim = await laboratory.launcher.launch(request);
  const ended = await shim.exec(shell('setsid sleep 1000 >/dev/null 2>&1 & exit 0'));
  ended.stdout.resume();
  expect(await ended.exit).toBe(0);
  const [name = ''] = directories(cgroup);
  const pid = Number(readFileSync(`${cgroup}/${name}/cgroup.procs`, 'utf8'));
  expect(isAlive(pid)).toBe(true);
  await ended.kill();
  await until(() => !isAlive(pid) && directories(cgroup).length === 0);

  const again = await shim.exec(shell('setsid sleep 1000 >/dev/null 2>&1 & exit 0'));
  again.stdout.resume();
  await again.exit;
  const left = Number(readFileSync(`${cgroup}/${directories(cgroup)[0]}/cgroup.procs`, 'utf8'));
  await shim.signal(9);
  await shim.exit;
  expect(isAlive(left)).toBe(false);
});

test('a privileged exec has all capabilities that we have, and no filter; its neighbour neither', async () => {
  const request = await laboratory.request('exec sleep 1000', {
    spec: (spec) => ({ ...spec, process: { ...spec.process, noNewPrivileges: true } }),
  });
  await using shim = await laboratory.launcher.launch(request);
  const status = 'grep -E "^(Cap|Seccomp:|NoNew)" /proc/self/status';
  const own = /^CapPrm:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  const all = (await execIn(shim, status, { privileged: true })).stdout;
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(all).toMatch(new RegExp(`^${set}:\\s+${own}$`, 'm'));
  expect(all).toMatch(/^CapInh:\s+0+$/m);
  expect(all).toMatch(/^Seccomp:\s+0$/m);
  expect(all).toMatch(/^NoNewPrivs:\s+0$/m);
  const usual = (await execIn(shim, status, { user: 'web', additionalGroups: ['4242'] })).stdout;
  expect(usual).toMatch(/^CapBnd:\s+00000000a80425fb$/m);
  expect(usual).toMatch(/^Seccomp:\s+2$/m);
  expect((await execIn(shim, 'id -G', { user: 'web', additionalGroups: ['4242'] })).stdout).toContain('4242');
  await shim.signal(9);
  await shim.exit;
});
