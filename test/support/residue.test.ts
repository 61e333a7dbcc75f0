import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { expectNoResidue, leftBehind, newResidue, snapshotResidue } from './residue.ts';

test('a temp directory and a process are found, and nothing once they are gone', async () => {
  const before = await snapshotResidue();
  const directory = await mkdtemp(join(tmpdir(), 'berth-residue-'));
  const within = [basename(directory)];
  const child = spawn('tail', ['-f', '/dev/null', join(directory, 'x')], { stdio: 'ignore' });
  await once(child, 'spawn');
  try {
    const left = await leftBehind(before, { within, deadlineMs: 0 });
    expect(left).toContain(`temp ${directory}`);
    expect(left.some((line) => line.startsWith(`process ${child.pid} tail -f`))).toBe(true);
    await expect(expectNoResidue(before, { within, deadlineMs: 0 })).rejects.toThrow(`temp ${directory}`);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await rm(directory, { recursive: true });
  }
  await expectNoResidue(before, { within });
});

test('what was there before does not count, nor what is out of scope', () => {
  const before = new Set(['link eth0', 'cgroup /berth-a']);
  const after = new Set(['link eth0', 'cgroup /berth-a', 'cgroup /berth-b', 'netns other']);
  expect(newResidue(before, after)).toEqual(['cgroup /berth-b', 'netns other']);
  expect(newResidue(before, after, ['berth-b'])).toEqual(['cgroup /berth-b']);
});
