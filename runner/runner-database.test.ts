import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RunnerDatabase } from './runner-database.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-database-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a deferred commit survives the sudden end of its process', () => {
  const path = join(directory, 'runner.db');
  const module = JSON.stringify(join(import.meta.dirname, 'runner-database.ts'));
  const program = `
    const { RunnerDatabase } = await import(${module});
    const database = new RunnerDatabase(${JSON.stringify(path)});
    database.exec('create table numbers (n integer)');
    for (let n = 0; n < 3; n += 1) database.defer(() => database.prepare('insert into numbers values (?)').run(n));
    process.kill(process.pid, 'SIGKILL');
  `;
  const argv = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program];
  expect(spawnSync(process.execPath, argv, { encoding: 'utf8' })).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  using database = new RunnerDatabase(path);
  expect(database.prepare('select n from numbers').all()).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
});

test('those who wait at the same moment share a sync, who comes while it is made has the next', async () => {
  using database = new RunnerDatabase(join(directory, 'runner.db'));
  database.exec('create table numbers (n integer)');
  const insert = database.prepare('insert into numbers values (?)');
  database.defer(() => insert.run(1));
  const first = database.synced();
  database.defer(() => insert.run(2));
  expect(database.synced()).toBe(first); // it has not begun
  await Promise.resolve().then(() => undefined);
  expect(database.synced()).toBe(first); // nothing new
  database.defer(() => insert.run(3));
  const second = database.synced();
  expect(second).not.toBe(first);
  let firstIsOver = false;
  void first.then(() => (firstIsOver = true));
  await second;
  expect(firstIsOver).toBe(true);
});

test('every other commit is synced by itself, whatever failed between', () => {
  using database = new RunnerDatabase(join(directory, 'runner.db'));
  const full = { synchronous: 2 };
  expect(database.prepare('pragma synchronous').get()).toEqual(full);
  expect(() => database.defer(() => database.exec('insert into missing values (1)'))).toThrow(/no such table/);
  expect(database.prepare('pragma synchronous').get()).toEqual(full);
});

test('after a sync that failed nothing is said to be on disk, though the next sync would not fail', async () => {
  using database = new RunnerDatabase(join(directory, 'runner.db'));
  database.exec('create table numbers (n integer)');
  await using handle = await open(join(directory, 'other'), 'w');
  const datasync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, 'datasync');
  try {
    datasync.mockRejectedValueOnce(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
    database.defer(() => database.exec('insert into numbers values (1)'));
    await expect(database.synced()).rejects.toThrow(/runner\.db-wal: EIO.*restart the runner/);
    database.defer(() => database.exec('insert into numbers values (2)'));
    await expect(database.synced()).rejects.toThrow(/EIO/);
  } finally {
    datasync.mockRestore();
  }
});
