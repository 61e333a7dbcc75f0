import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Reservations } from './reservations.ts';

/** A tree of directories with the file that cgroups have, each with a value of an earlier runner. */
function stage(...parents: readonly string[]) {
  const top = mkdtempSync(join(tmpdir(), 'berth-reservations-'));
  onTestFinished(() => rmSync(top, { recursive: true }));
  for (const parent of ['', ...parents]) {
    mkdirSync(join(top, parent), { recursive: true });
    writeFileSync(join(top, parent, 'memory.low'), '77');
  }
  const warnings: string[] = [];
  // Written over, as a cgroup's file is: what was longer is still there after the line.
  const low = (parent = ''): string => readFileSync(join(top, parent, 'memory.low'), 'utf8').split('\n')[0] ?? '';
  return { top, warnings, low, reservations: new Reservations(top, (text) => warnings.push(text)) };
}

test('each cgroup above a container has the sum of what is reserved below it', () => {
  const { reservations, low, warnings } = stage('batch', 'batch/night');
  reservations.set('a', '', 1000);
  reservations.set('b', 'batch', 200);
  reservations.set('c', 'batch/night', 30);
  expect([low(), low('batch'), low('batch/night')]).toEqual(['1230', '230', '30']);
  reservations.set('b', 'batch', 500);
  reservations.delete('c');
  expect([low(), low('batch'), low('batch/night')]).toEqual(['1500', '500', '0']);
  for (const id of ['a', 'b', 'b', 'nobody']) reservations.delete(id);
  expect([low(), low('batch')]).toEqual(['0', '0']);
  expect(warnings).toEqual([]);
});

test('what an earlier runner left is corrected by a container without a reservation, too', () => {
  const { reservations, low } = stage('batch');
  reservations.set('a', 'batch', 0);
  expect([low(), low('batch')]).toEqual(['0', '0']);
});

test('a cgroup that is gone, and comes back, is nothing to warn of', () => {
  const { reservations, top, low, warnings } = stage('batch');
  reservations.set('a', 'batch', 10);
  rmSync(join(top, 'batch'), { recursive: true });
  reservations.delete('a');
  mkdirSync(join(top, 'batch'));
  writeFileSync(join(top, 'batch', 'memory.low'), '0');
  reservations.set('b', 'batch', 20);
  expect([low(), low('batch')]).toEqual(['20', '20']);
  expect(warnings).toEqual([]);
});
