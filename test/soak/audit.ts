import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { call } from '../support/call-socket.ts';
import type { RunnerUnderFire } from './runner-under-fire.ts';

/** What the audit reads of a container's inspection. */
interface Inspected {
  readonly Id: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Pid: number;
  };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string }[];
}

/** How long things may take to come to rest after a start. */
const restMs = 20_000;

/**
 * What the engine says and what kernel and disk have, where they differ; asked until they agree or the time is over.
 *
 * @param during the operation that was under way: unless it is a pause, no container may be paused
 */
export async function audit(runner: RunnerUnderFire, during = ''): Promise<readonly string[]> {
  const deadline = performance.now() + restMs;
  for (;;) {
    const found = await differences(runner, during.startsWith('pause'));
    if (found.length === 0 || performance.now() > deadline) return found;
    await delay(50); // containers come and go by their policies while we look
  }
}

async function differences(runner: RunnerUnderFire, mayBePaused: boolean): Promise<string[]> {
  const listed = (await get(runner, '/containers/json?all=1')) as { Id: string }[];
  const inspected: Inspected[] = [];
  for (const { Id } of listed) {
    const { status, body } = await call(runner.socketPath, 'GET', `/containers/${Id}/json`);
    if (status === 200) inspected.push(body as Inspected);
  }
  const running = inspected.filter(({ State }) => State.Running && State.Status !== 'restarting');
  return [
    ...inspected.filter(({ State }) => ['removing', 'dead'].includes(State.Status)).map(({ Id }) => `${Id} is stuck`),
    ...running.filter(({ State }) => State.Paused && !mayBePaused).map(({ Id }) => `${Id} is paused, unasked`),
    ...(await processDifferences(runner, running)),
    ...(await directoryDifferences(runner, inspected)),
    ...(await networkDifferences(runner, running)),
    ...(await volumeDifferences(runner, inspected)),
    ...(await imageDifferences(runner)),
    ...(await mountDifferences(runner)),
    ...(await programDifferences(runner)),
  ];
}

async function get(runner: RunnerUnderFire, path: string): Promise<unknown> {
  const { status, body } = await call(runner.socketPath, 'GET', path);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

/** Cgroups and shims are those of running containers, whose first process is where the engine says. */
async function processDifferences(runner: RunnerUnderFire, running: readonly Inspected[]): Promise<string[]> {
  const tree = await runner.cgroup();
  const found: string[] = [];
  for (const { Id, State } of running) {
    const line = await readFile(`/proc/${State.Pid}/cgroup`, 'utf8').catch(() => '');
    if (!line.includes(Id)) found.push(`${Id} is said to run as ${State.Pid}, which is elsewhere`);
    const events = await readFile(join(tree, Id, 'cgroup.events'), 'utf8').catch(() => '');
    if (events.includes('frozen 1') !== State.Paused) found.push(`${Id} is said to be ${State.Status}: ${events}`);
  }
  const known = new Set(running.map(({ Id }) => Id));
  for (const name of await directoriesIn(tree)) {
    if (name !== 'shims' && !known.has(name)) found.push(`cgroup ${name} has no running container`);
  }
  const shims = await shimsIn(join(tree, 'shims'));
  if (shims !== running.length) found.push(`${shims} shims, ${running.length} running containers`);
  return found;
}

async function shimsIn(cgroup: string): Promise<number> {
  const pids = (await readFile(join(cgroup, 'cgroup.procs'), 'utf8')).split('\n').filter((line) => line !== '');
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')));
  return names.filter((name) => name.trim() === 'berth-shim').length;
}

async function directoryDifferences(runner: RunnerUnderFire, inspected: readonly Inspected[]): Promise<string[]> {
  const known = new Set(inspected.map(({ Id }) => Id));
  const names = await directoriesIn(join(runner.dataRoot, 'containers'));
  return names.filter((name) => !known.has(name)).map((name) => `directory ${name} has no record`);
}

interface ListedNetwork {
  readonly Name: string;
  readonly Driver: string;
}

/**
 * A bridge for each network, a link for each running container's endpoint, one table of rules, and one for names where there
 * is a network whose gateway answers them.
 */
async function networkDifferences(runner: RunnerUnderFire, running: readonly Inspected[]): Promise<string[]> {
  const networks = (await get(runner, '/networks')) as ListedNetwork[];
  const bridges = networks.filter(({ Driver }) => Driver === 'bridge').map(({ Name }) => Name);
  const endpoints = running.flatMap(({ NetworkSettings }) =>
    Object.keys(NetworkSettings.Networks).filter((name) => bridges.includes(name)),
  );
  const found: string[] = [];
  const count = async (type: string): Promise<number> => {
    const text = await runner.namespace.ip('-o', 'link', 'show', 'type', type);
    return text.split('\n').filter((line) => line !== '').length;
  };
  const [links, devices] = [await count('veth'), await count('bridge')];
  if (devices !== bridges.length) found.push(`${devices} bridges, ${bridges.length} networks (${bridges.join(' ')})`);
  if (links !== endpoints.length) found.push(`${links} links, ${endpoints.length} endpoints`);
  const { instance } = runner;
  const names = bridges.some((name) => name !== 'bridge') ? [`table ip berth-names-${instance}`] : [];
  const expected = [`table ip berth-${instance}`, ...names].join(', ');
  const tables = (await runner.namespace.run('nft', 'list', 'tables')).trim().split('\n').toSorted().join(', ');
  if (tables !== expected) found.push(`tables are ${tables}, not ${expected}`);
  return found;
}

async function volumeDifferences(runner: RunnerUnderFire, inspected: readonly Inspected[]): Promise<string[]> {
  const { Volumes } = (await get(runner, '/volumes')) as { Volumes: { Name: string }[] | null };
  const known = new Set((Volumes ?? []).map(({ Name }) => Name));
  const names = await directoriesIn(join(runner.dataRoot, 'volumes'));
  const used = inspected.flatMap(({ Mounts }) => Mounts.flatMap(({ Type, Name }) => (Type === 'volume' ? [Name] : [])));
  return [
    ...names.filter((name) => !known.has(name)).map((name) => `volume directory ${name} has no record`),
    ...[...known].filter((name) => !names.includes(name)).map((name) => `volume ${name} has no directory`),
    ...used
      .filter((name) => !known.has(name ?? ''))
      .map((name) => `a container uses the volume ${name}, which is not there`),
  ];
}

/** Layers are those of images, and nothing half made lies about. */
async function imageDifferences(runner: RunnerUnderFire): Promise<string[]> {
  const images = (await get(runner, '/images/json?all=1')) as { Id: string }[];
  const layers = new Set<string>();
  for (const { Id } of images) {
    const { RootFS } = (await get(runner, `/images/${Id}/json`)) as { RootFS: { Layers: string[] } };
    for (const layer of RootFS.Layers) layers.add(layer.replace('sha256:', ''));
  }
  const stored = await directoriesIn(join(runner.dataRoot, 'images', 'layers'));
  const temporary = await readdir(join(runner.dataRoot, 'images', 'tmp'));
  return [
    ...stored.filter((name) => !layers.has(name)).map((name) => `layer ${name} belongs to no image`),
    ...[...layers].filter((name) => !stored.includes(name)).map((name) => `layer ${name} is not there`),
    ...temporary.map((name) => `images/tmp/${name} is left`),
  ];
}

/** Neither the runner's mount namespace nor the machine's has anything of ours. */
async function mountDifferences({ pid, dataRoot }: RunnerUnderFire): Promise<string[]> {
  const tables = await Promise.all([pid, 'self'].map((which) => readFile(`/proc/${which}/mountinfo`, 'utf8')));
  const lines = tables.flatMap((table) => table.split('\n')).filter((line) => line.includes(dataRoot));
  return lines.map((line) => `mount ${line}`);
}

/** One launcher, and no program that works on files: nothing is asked of the runner now. */
async function programDifferences(runner: RunnerUnderFire): Promise<string[]> {
  const pids = (await runner.namespace.run('ip', 'netns', 'pids', runner.namespace.name)).trim().split('\n');
  const names = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')));
  const left = names.map((name) => name.trim()).filter((name) => /^berth-(files|unpack)/.test(name));
  const launchers = names.filter((name) => name.startsWith('memfd:berth')).length;
  return [...left.map((name) => `${name} still runs`), ...(launchers === 1 ? [] : [`${launchers} launchers run`])];
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}
