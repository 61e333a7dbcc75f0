import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRunnerDatabase } from '../database.ts';
import { containerConfig } from './config.ts';
import { joinedNamespaces } from './joined-namespaces.ts';
import { ContainerStore } from './state.ts';

let directory: string;
let database: ReturnType<typeof openRunnerDatabase>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-joined-'));
  database = openRunnerDatabase(join(directory, 'runner.db'));
});
afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true });
});

const config = (name: string, options: object) =>
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
    restart: { kind: 'no' },
    ports: [],
    publishGroup: name,
    ...options,
  });
const donor = 'd'.repeat(64);

test.each([
  ['PID', { pidMode: `container:${donor}` }],
  ['IPC', { ipcMode: `container:${donor}` }],
  ['network', { networkNamespace: { kind: 'container', id: donor } }],
])('a %s namespace is not joined when the process of that number is another by now', (type, mode) => {
  const store = new ContainerStore(database);
  store.insert(donor, config('donor', { ipcMode: 'shareable' }), 1000);
  // As if the container had ended unheard, and its number were given to a process of the host: to this one.
  store.update(donor, { state: 'running', pid: process.pid });
  expect(() => joinedNamespaces({ store, isolation: { remapsAll: false } }, config('joiner', mode))).toThrow(
    `failed to join ${type} namespace: container ${donor} is not running`,
  );
});
