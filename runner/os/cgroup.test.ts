import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { randomId } from '#shared/id.ts';
import { cgroup2MountPoint, childCgroups, prepareCgroupTree, removeCgroup } from './cgroup.ts';

test('the hierarchy is found on unified and hybrid hosts, and its name is unescaped', () => {
  const hybrid = [
    '32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
    '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw',
  ].join('\n');
  expect(cgroup2MountPoint(hybrid)).toBe('/sys/fs/cgroup/unified');
  expect(cgroup2MountPoint('30 24 0:26 / /sys/fs/cgroup\\040x rw - cgroup2 cgroup2 rw')).toBe('/sys/fs/cgroup x');
  expect(cgroup2MountPoint('22 1 0:2 / / rw - ext4 /dev/vda rw')).toBeUndefined();
});

test.runIf(process.getuid?.() === 0)('a subtree is made, found again, and removed with its processes', async () => {
  const tree = await prepareCgroupTree(randomId(8));
  const directory = tree.mountPoint + tree.path;
  try {
    expect(await prepareCgroupTree(tree.path.slice('/berth-'.length))).toEqual(tree);
    const inner = `${directory}/one/inner`;
    mkdirSync(inner, { recursive: true });
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    writeFileSync(`${inner}/cgroup.procs`, String(child.pid));
    expect(readFileSync(`${inner}/cgroup.procs`, 'utf8').trim()).toBe(String(child.pid));
    expect(await childCgroups(directory)).toEqual(['one']);
    await removeCgroup(`${directory}/one`);
    expect((await ended)[1]).toBe('SIGKILL');
    expect(existsSync(`${directory}/one`)).toBe(false);
  } finally {
    await removeCgroup(directory);
  }
  await removeCgroup(directory);
  expect(await childCgroups(directory)).toEqual([]);
});
