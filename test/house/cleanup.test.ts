import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, readdir, readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run, runOk } from '../support/stage/command.ts';
import { unifiedRoot } from '../support/stage/containers.ts';
import type { Host } from '../support/stage/stage.ts';
import { House, service } from './house.ts';

const BERTH = join(import.meta.dirname, '..', '..', 'bin', 'berth');

/** The name of a runner's own things, as `docker info` shows it. */
function instanceOf({ socketPath }: Host): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: '/info' }, (response) => {
      json(response).then((body) => resolve(z.object({ ID: z.string() }).parse(body).ID), reject);
    }).on('error', reject);
  });
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');

/** What there is of a runner outside of its data root. */
async function traces(host: Host, instance: string) {
  const links = await runOk(['ip', '-n', host.namespace, '-o', 'link', 'show']);
  const inNamespace = ['nsenter', `--net=/run/netns/${host.namespace}`] as const;
  const cgroup = join((await unifiedRoot()) ?? '', `berth-${instance}`);
  return {
    links: [...links.matchAll(/^\d+: ([^@:]+)/gm)].map(([, name]) => name),
    tables: lines(await runOk([...inNamespace, 'nft', 'list', 'tables'])),
    processes: lines((await run(['ip', 'netns', 'pids', host.namespace])).stdout),
    mounts: lines(await readFile('/proc/self/mountinfo', 'utf8')).filter((line) => line.includes(host.dataRoot)),
    cgroups: await readdir(cgroup, { withFileTypes: true }).then(
      (entries) => ['.', ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)],
      () => [],
    ),
  };
}

test('a host that is emptied and stopped keeps its data root and three empty things; the uninstall takes these too', async () => {
  await using house = await House.open();
  const path = await house.compose(
    'brief',
    `services:\n  web:\n${service({ replicas: 3, more: ['ports: ["8083:80"]'] })}\n`,
  );
  await house.ok('apply', '-f', path, '-p', 'brief', '--wait');
  await house.running('brief', 3);
  await house.ok('rm', 'brief', '--wait');
  for (const host of house.stage.hosts) {
    const instance = await instanceOf(host);
    await house.ok('host', 'rm', host.name);
    await house.daemon(host.name)[Symbol.asyncDispose]();
    const table = `table ip berth-${instance}`;
    await expect
      .poll(() => traces(host, instance))
      .toEqual({
        links: ['lo', 'eth0', `br-${instance}`],
        tables: [table],
        processes: [],
        mounts: [],
        cgroups: ['.', 'shims'],
      });
    await expect(access(host.socketPath)).rejects.toThrow('ENOENT');
    expect(await readdir(join(host.dataRoot, 'containers'))).toEqual([]);
    expect(await readdir(join(host.dataRoot, 'images', 'tmp'))).toEqual([]);
    // As docs/operations.md says under "Uninstall".
    expect(await leave(house, host, '--purge')).toContain(`removed the data root ${host.dataRoot}\n`);
    await expect.poll(() => traces(host, instance)).toMatchObject({ links: ['lo', 'eth0'], tables: [], cgroups: [] });
    await expect(access(host.dataRoot)).rejects.toThrow('ENOENT');
    expect(await leave(house, host, '--purge')).toBe(`nothing is left: there is no data root ${host.dataRoot}\n`);
  }
});

test('a host with containers leaves without its control plane, and not while its runner runs', async () => {
  await using house = await House.open();
  const ports = ['ports: ["8084:80"]'];
  const path = await house.compose('brief', `services:\n  web:\n${service({ replicas: 4, more: ports })}\n`);
  await house.ok('apply', '-f', path, '-p', 'brief', '--wait');
  await house.running('brief', 4);
  const [host] = house.stage.hosts;
  const instance = await instanceOf(host);
  const refused = await house.stage.berthOn(host, 'runner', 'leave', '--data-root', host.dataRoot);
  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toMatch(/data root .* is in use by another runner \(pid \d+\)\n.*\nStop that one first/);
  await house.running('brief', 4);

  await house.daemon('control-plane')[Symbol.asyncDispose]();
  await house.daemon(host.name).kill();
  expect(await leave(house, host)).toBe(
    'removed the identity: this host belongs to no cluster\n' +
      'stopped and removed 2 containers\n' +
      `removed the bridge br-${instance}, the nftables table and the cgroup berth-${instance}\n` +
      `the data root ${host.dataRoot} stays, with its images; to remove it too: --purge\n`,
  );
  const none = { links: ['lo', 'eth0'], tables: [], processes: [], mounts: [], cgroups: [] };
  await expect.poll(() => traces(host, instance)).toEqual(none);
  expect(await readdir(join(host.dataRoot, 'containers'))).toEqual([]);
  expect(await readdir(host.dataRoot)).not.toContain('identity.json');
  expect(await leave(house, host)).not.toContain('container');
  await expect.poll(() => traces(host, instance)).toEqual(none);
  const gone = await house.stage.berthOn(host, 'runner', '--data-root', host.dataRoot);
  expect(gone.stderr).toContain(`The data root ${host.dataRoot} belongs to no cluster`);
});

test('a leave that is killed at any moment is finished by the next', async () => {
  await using house = await House.open();
  const path = await house.compose('brief', `services:\n  web:\n${service({ replicas: 6 })}\n`);
  await house.ok('apply', '-f', path, '-p', 'brief', '--wait');
  await house.running('brief', 6);
  const [host] = house.stage.hosts;
  const instance = await instanceOf(host);
  await house.daemon(host.name).kill();
  for (const delayMs of [0, 30, 60, 120, 240]) await leaveKilled(host, delayMs);
  expect(await leave(house, host)).toContain(`the data root ${host.dataRoot} stays`);
  const none = { links: ['lo', 'eth0'], tables: [], processes: [], mounts: [], cgroups: [] };
  await expect.poll(() => traces(host, instance)).toEqual(none);
  expect(await readdir(join(host.dataRoot, 'containers'))).toEqual([]);
});

/** Begins to leave, and kills that `delayMs` after its data root was taken (runner.pid is then its own). */
async function leaveKilled(host: Host, delayMs: number): Promise<void> {
  const argv = [`--net=/run/netns/${host.namespace}`, BERTH, 'runner', 'leave', '--data-root', host.dataRoot];
  const child = spawn('nsenter', argv, { stdio: 'ignore' });
  const exit = once(child, 'exit');
  const taken = async (): Promise<boolean> =>
    (await readFile(join(host.dataRoot, 'runner.pid'), 'utf8')).trim() === String(child.pid);
  while (child.exitCode === null && !(await taken())) await delay(5);
  await delay(delayMs);
  child.kill('SIGKILL');
  await exit;
}

async function leave(house: House, host: Host, ...options: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await house.stage.berthOn(
    host,
    ...['runner', 'leave', '--data-root', host.dataRoot],
    ...options,
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}
