import { readdir, readFile, rmdir, access } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { run, runOk } from '../support/stage/command.ts';
import { unifiedRoot } from '../support/stage/containers.ts';
import type { Host } from '../support/stage/stage.ts';
import { House, service } from './house.ts';

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
    expect(await traces(host, instance)).toEqual({
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
    await runOk(['ip', '-n', host.namespace, 'link', 'del', `br-${instance}`]);
    await runOk(['nsenter', `--net=/run/netns/${host.namespace}`, 'nft', 'delete', ...table.split(' ')]);
    const cgroup = join((await unifiedRoot()) ?? '', `berth-${instance}`);
    for (const path of [join(cgroup, 'shims'), cgroup]) await rmdir(path);
    expect(await traces(host, instance)).toMatchObject({ links: ['lo', 'eth0'], tables: [], cgroups: [] });
  }
});
