import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { call } from '../../support/call-socket.ts';
import { tar } from '../../support/tar.ts';
import { audit } from '../audit.ts';
import { bulk, image } from '../operation.ts';
import type { RunnerUnderFire } from '../runner-under-fire.ts';
import { differences, type Inspected, type Observed } from './compare.ts';
import type { Told } from './journal.ts';
import { runsDirectory } from './perform.ts';
import { afterPowerLoss, stages, type World } from './world.ts';

/** How long policies may take to bring back what they are for, under emulation. */
const restMs = 120_000;

/** What a loss of power has left: where that is not what was told, and for each worker what there is now. */
export interface Verdict {
  readonly differing: readonly string[];
  readonly worlds: readonly World[];
}

/** Starts the runner upon what a loss of power has left, and holds what it says against what was told before. */
export async function verify(runner: RunnerUnderFire, told: readonly Told[]): Promise<Verdict> {
  const differing = [...(await databaseDefects(runner.dataRoot))];
  const before = await countRuns();
  await runner.start();
  const worlds: World[] = [];
  for (const [worker, one] of told.entries()) {
    const { world, found } = await settle(runner, worker, one, before);
    worlds.push(world);
    differing.push(...found);
  }
  differing.push(...(await audit(runner)), ...(await volumeDefects(runner, worlds)), ...(await copyDefects(runner)));
  differing.push(...(await runner.errors()));
  if (differing.length > 0) differing.push(`the runner says:\n${await runner.log()}`);
  return { differing, worlds };
}

/** Of a copy: looking at it changes it. */
async function databaseDefects(dataRoot: string): Promise<readonly string[]> {
  const copy = await mkdtemp(join(tmpdir(), 'berth-power-'));
  try {
    const files = (await readdir(dataRoot)).filter((name) => /^runner\.db(-wal)?$/.test(name));
    for (const name of files) await copyFile(join(dataRoot, name), join(copy, name));
    using database = new DatabaseSync(join(copy, 'runner.db'));
    const rows = [
      ...database.prepare('pragma integrity_check').all(),
      ...database.prepare('pragma foreign_key_check').all(),
    ].map((row) => JSON.stringify(row));
    return rows.filter((row) => row !== '{"integrity_check":"ok"}').map((row) => `runner.db: ${row}`);
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** Which of the worlds that there may be is there: with what was under way, or without it. */
async function settle(
  runner: RunnerUnderFire,
  worker: number,
  { world, underWay }: Told,
  before: ReadonlyMap<string, number>,
): Promise<{ world: World; found: readonly string[] }> {
  const possible = stages(world, underWay).map(afterPowerLoss);
  const deadline = performance.now() + restMs;
  for (;;) {
    const observed = await observe(runner, `w${worker}r`, before);
    const compared = possible.map((one) => ({ world: one, found: differences(one, observed) }));
    const agreeing = compared.find(({ found }) => found.length === 0);
    if (agreeing !== undefined) return agreeing;
    if (performance.now() > deadline) {
      const found = compared.flatMap((one) => one.found);
      return { world, found: [...found, `with ${JSON.stringify(underWay ?? 'nothing')} under way`] };
    }
    await delay(500);
  }
}

async function get(runner: RunnerUnderFire, path: string): Promise<unknown> {
  const { status, body } = await call(runner.socketPath, 'GET', path);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** What there is whose name has this beginning. */
async function observe(
  runner: RunnerUnderFire,
  prefix: string,
  before: ReadonlyMap<string, number>,
): Promise<Observed> {
  const listed = (await get(runner, '/containers/json?all=1')) as { Id: string; Labels: Record<string, string> }[];
  const containers: Inspected[] = [];
  for (const { Id, Labels } of listed) {
    if (Labels['token']?.startsWith(prefix) !== true) continue;
    const { status, body } = await call(runner.socketPath, 'GET', `/containers/${Id}/json`);
    if (status === 200) containers.push(body as Inspected);
  }
  const { Volumes } = (await get(runner, '/volumes')) as { Volumes: { Name: string }[] | null };
  const networks = (await get(runner, '/networks')) as { Name: string }[];
  const own = (things: readonly { readonly Name: string }[]): string[] =>
    things.map(({ Name }) => Name).filter((name) => name.startsWith(prefix));
  const runs: Record<string, { before: number; now: number }> = {};
  for (const [token, now] of await countRuns()) runs[token] = { before: before.get(token) ?? 0, now };
  return {
    containers,
    volumes: own(Volumes ?? []),
    networks: own(networks),
    images: await marks(runner, prefix),
    runs,
  };
}

async function marks(runner: RunnerUnderFire, prefix: string): Promise<Record<string, string | null>> {
  const images = (await get(runner, '/images/json?all=1')) as { RepoTags: string[] | null }[];
  const found: Record<string, string | null> = {};
  for (const { RepoTags: names } of images) {
    for (const name of names ?? []) {
      if (!name.startsWith(prefix)) continue;
      found[name] = names?.includes(image) === true ? null : await markOf(runner, name);
    }
  }
  return found;
}

/** What an image's file `/mark` says: the loss of power has left the image's content, too. */
async function markOf(runner: RunnerUnderFire, reference: string): Promise<string> {
  const answer = await call(runner.socketPath, 'POST', '/containers/create', { Image: reference, Cmd: ['none'] });
  const id = (answer.body as { Id?: string }).Id;
  if (id === undefined) return `${answer.status} ${JSON.stringify(answer.body)}`;
  const { body } = await call(runner.socketPath, 'GET', `/containers/${id}/archive?path=/mark`);
  await call(runner.socketPath, 'DELETE', `/containers/${id}?v=1`); // a committed image may ask for a volume
  // A tar of one small file: a header, and its text.
  return typeof body === 'string' ? (body.slice(512).split('\n')[0] ?? '') : JSON.stringify(body);
}

/** Volumes that belong to nothing, and those of a container without what its image has at their place. */
async function volumeDefects(runner: RunnerUnderFire, worlds: readonly World[]): Promise<readonly string[]> {
  const containers = (await get(runner, '/containers/json?all=1')) as { Mounts: { Name?: string }[] }[];
  const used = new Set(containers.flatMap(({ Mounts }) => Mounts.map(({ Name }) => Name)));
  const { Volumes } = (await get(runner, '/volumes')) as { Volumes: { Name: string }[] | null };
  const nameless = (Volumes ?? []).filter(({ Name }) => /^[0-9a-f]{64}$/.test(Name) && !used.has(Name));
  const found = nameless.map(({ Name }) => `volume ${Name} belongs to no container`);
  for (const world of worlds) {
    for (const { volume, token } of Object.values(world.containers)) {
      if (volume === null) continue;
      const path = join(runner.dataRoot, 'volumes', volume, '_data', 'passwd');
      const text = await readFile(path, 'utf8').catch((error: Error) => error.message);
      if (!text.includes('nobody:x:')) found.push(`volume ${volume} of ${token} has not what its image has: ${text}`);
    }
  }
  return found;
}

/** Every container takes a file. */
async function copyDefects(runner: RunnerUnderFire): Promise<readonly string[]> {
  const containers = (await get(runner, '/containers/json?all=1')) as { Id: string; Names: string[] }[];
  const found: string[] = [];
  for (const { Id, Names } of containers) {
    const target = { runner, name: '', running: '', created: '' };
    const path = `/containers/${Id}/archive?path=/tmp`;
    await bulk(target, 'PUT', path, tar([{ name: 'taken', content: 'x' }])).catch((error: Error) =>
      found.push(`${Names.join(' ')} takes no file: ${error.message}`),
    );
  }
  return found;
}

async function countRuns(): Promise<Map<string, number>> {
  const runs = new Map<string, number>();
  for (const token of await readdir(runsDirectory)) {
    runs.set(token, (await readFile(join(runsDirectory, token), 'utf8')).split('\n').length - 1);
  }
  return runs;
}
