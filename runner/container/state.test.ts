import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRunnerDatabase } from '../database.ts';
import { containerConfig } from './config.ts';
import { ContainerStore, toRecord } from './state.ts';

let directory: string;
let database: ReturnType<typeof openRunnerDatabase>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-state-'));
  database = openRunnerDatabase(join(directory, 'runner.db'));
});
afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

const config = (name: string) =>
  containerConfig.parse({
    name,
    image: 'hello:1',
    imageId: 'sha256:1',
    args: ['/bin/true'],
    environment: [],
    workingDirectory: '',
    user: '',
    hostname: name,
    labels: {},
    restart: { kind: 'always' },
    ports: [],
    publishGroup: name,
  });
const a = `aa1${'0'.repeat(61)}`;
const b = `aa2${'0'.repeat(61)}`;

test('what was stored is there when the database is opened again', () => {
  const store = new ContainerStore(database);
  store.insert(a, config('web'), 1000);
  store.update(a, { state: 'restarting', desired: 'running', exitCode: 3, finishedAtMs: 5000, restartAtMs: 5400 });
  database.close();
  database = openRunnerDatabase(join(directory, 'runner.db'));
  const again = new ContainerStore(database);
  expect(again.get(a)).toEqual(store.get(a));
  expect(again.get(a)).toMatchObject({ desired: 'running', exitCode: 3, backoffMs: 400 });
});

test('the pause before the last restart outlasts the restart, but the record does not show it', () => {
  const store = new ContainerStore(database);
  store.insert(a, config('web'), 1000);
  store.update(a, { state: 'restarting', finishedAtMs: 5000, restartAtMs: 5400 });
  const running = store.update(a, { state: 'running' });
  expect(running.backoffMs).toBe(400);
  expect(toRecord(running).restartAtMs).toBeUndefined();
  expect(toRecord(running)).not.toHaveProperty('desired');
});

test('a name has one holder, and is free again when that is gone', () => {
  const store = new ContainerStore(database);
  store.insert(a, config('web'), 1000);
  expect(() => store.insert(b, config('web'), 1000)).toThrow(
    expect.objectContaining({
      code: 'container.name-taken',
      message: `The container name "web" is in use by container ${a.slice(0, 12)}`,
    }),
  );
  store.delete(a);
  store.insert(b, config('web'), 1000);
  expect(store.find('web')?.id).toBe(b);
});

test('found by id, name, and by a prefix that only one has', () => {
  const store = new ContainerStore(database);
  store.insert(a, config('web'), 1000);
  store.insert(b, config('worker'), 1000);
  expect(store.find(a)?.id).toBe(a);
  expect(store.find('worker')?.id).toBe(b);
  expect(store.find('aa1')?.id).toBe(a);
  expect(store.find('aa')).toBeUndefined();
  expect(store.find('')).toBeUndefined();
  expect(() => store.require('nope')).toThrow(expect.objectContaining({ code: 'container.unknown' }));
});

test('listeners hear of every stored change, in order, until they are disposed', () => {
  const store = new ContainerStore(database);
  const heard: (string | undefined)[] = [];
  {
    using _ = store.onChange((_id, record) => heard.push(record?.state));
    store.insert(a, config('web'), 1000);
    store.update(a, { state: 'running' });
    store.delete(a);
  }
  store.insert(a, config('web'), 1000);
  expect(heard).toEqual(['created', 'running', undefined]);
});
