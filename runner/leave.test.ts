import { existsSync } from 'node:fs';
import { mkdir, mkdtempDisposable, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plainConfig } from '../test/support/plain-container.ts';
import { generateKey, writeIdentity } from './agent/identity.ts';
import { ContainerStore } from './container/state.ts';
import { openDataRoot } from './data-root.ts';
import { leaveCluster } from './leave.ts';
import { createLog } from './log.ts';

const log = createLog('text', () => {});

async function leave(dataRoot: string, purge = false): Promise<readonly string[]> {
  const told: string[] = [];
  await leaveCluster({ dataRoot, all: false, purge, log, tell: (line) => void told.push(line) });
  return told;
}

test('containers that no task was made for are not removed unasked, and nothing else is then', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-leave-'));
  {
    using dataRoot = await openDataRoot(directory.path);
    const store = new ContainerStore(dataRoot.database);
    for (let n = 1; n <= 7; n += 1) {
      store.insert(String(n).repeat(64), plainConfig({ name: `db${n}` }), 0);
    }
  }
  await writeIdentity(directory.path, { state: 'pending', key: generateKey() });
  await expect(leave(directory.path, true)).rejects.toMatchObject({
    code: 'leave.containers',
    message: 'leave: there are containers here that no task was made for: db1, db2, db3, db4, db5 and 2 more',
    remedy: expect.stringContaining('berth runner leave --all') as string,
  });
  expect(await readdir(directory.path)).toEqual(expect.arrayContaining(['identity.json', 'runner.db']));
});

test('what is no data root is left alone; what a crash left of one is removed', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'berth-leave-'));
  const path = join(directory.path, 'data');
  expect(await leave(path, true)).toEqual([`nothing is left: there is no data root ${path}`]);
  await mkdir(path);
  await expect(leave(path)).rejects.toMatchObject({ code: 'leave.no-data-root' });
  await writeFile(join(path, 'letter'), '');
  await expect(leave(path, true)).rejects.toMatchObject({ code: 'leave.no-data-root' });
  const rest = join(directory.path, 'rest');
  await mkdir(rest);
  await writeFile(join(rest, 'runner.db-wal'), '');
  expect(await leave(rest, true)).toEqual([`removed the data root ${rest}`]);
  expect([existsSync(rest), existsSync(path)]).toEqual([false, true]);
});
