import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineStage } from './engine-stage.ts';

let stage: EngineStage;

beforeAll(async () => {
  stage = await EngineStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

async function started(name: string, restart: object): Promise<string> {
  return (await stage.start(['sleep', '1000'], { name, restart, stopTimeoutMs: 0 })).id;
}

const record = (reference: string) => stage.record(reference);

/**
 * What a loss of power leaves: no process, and another boot id; of a container that was being stopped, that it was to be;
 * and of another one its record alone.
 */
async function restartHost(stopping: string, bare: string): Promise<void> {
  const { cgroup } = await stage.engine.call('place');
  const records = await stage.engine.call('list');
  await stage.engine.kill();
  const shims: number[] = [];
  for (const { pid } of records.filter((one) => one.pid > 0)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    shims.push(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  for (const pid of shims) process.kill(pid, 'SIGKILL');
  for (const { id } of records.filter((one) => one.pid > 0)) await writeFile(join(cgroup, id, 'cgroup.kill'), '1');
  await rm(join(stage.data, 'containers', bare), { recursive: true });
  using database = new DatabaseSync(join(stage.data, 'runner.db'));
  const { changes } = database.prepare("update meta set value = 'another' where key = 'boot-id'").run();
  expect(changes).toBe(1);
  database.prepare("update containers set desired = 'stopped' where id = ?").run(stopping);
  database.close();
  await stage.restart();
}

test('after a restart of the host, what should come back does, and what it cost is told', async () => {
  const before = new Map<string, number>();
  for (const [name, kind] of [
    ['first', 'always'],
    ['second', 'unless-stopped'],
    ['failing', 'on-failure'],
    ['once', 'no'],
    ['ended', 'unless-stopped'],
    ['returning', 'always'],
    ['stopping', 'always'],
  ] as const) {
    await started(name, { kind });
    before.set(name, (await record(name)).pid);
  }
  await stage.engine.call('stop', (await record('ended')).id);
  await stage.engine.call('stop', (await record('returning')).id);
  const { id: bare } = await record('once');
  await restartHost((await record('stopping')).id, bare);
  const state = async (name: string) => (await record(name)).state;
  for (const name of ['first', 'second', 'returning', 'stopping']) {
    await expect.poll(() => state(name)).toBe('running');
    expect((await record(name)).pid).not.toBe(before.get(name));
  }
  for (const name of ['failing', 'once']) {
    const lost = await record(name);
    expect(lost).toMatchObject({ state: 'exited', exitCode: 255, pid: 0, restarts: 0 });
    expect(lost.error).toContain('the host was restarted while it ran');
  }
  expect(await readdir(join(stage.data, 'containers', bare))).toEqual(expect.arrayContaining(['state', 'upper']));
  expect(await record('ended')).toMatchObject({ state: 'exited', exitCode: 137, error: '' });
});
