import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { run } from '../support/stage/command.ts';
import { unifiedRoot } from '../support/stage/containers.ts';
import type { Host } from '../support/stage/stage.ts';

/** A container as the runner has recorded it. */
export interface RecordedContainer {
  readonly id: string;
  readonly state: string;
  readonly pid: number;
  readonly taskId: string | undefined;
}

/** What there is on one host: what its runner has written down, and what the kernel and the disk have. */
export interface HostAudit {
  readonly records: readonly RecordedContainer[];
  /** Container ids that hold an address. */
  readonly leases: readonly string[];
  readonly portReservations: number;
  /** Container ids with a directory. */
  readonly directories: readonly string[];
  /** Container ids with a cgroup, each with the pids in it. */
  readonly cgroups: ReadonlyMap<string, readonly number[]>;
  /** Pids of processes of the launcher outside of containers, by what they are. */
  readonly shims: readonly number[];
  readonly spawners: readonly number[];
  /** Names of the host ends of containers' links. */
  readonly links: readonly string[];
}

const containerColumns = z.object({ id: z.string(), state: z.string(), pid: z.int(), config: z.string() });
const taskInConfig = z.object({ task: z.object({ id: z.string() }).optional() });

/** Looks at a host whose runner runs, or has been killed. */
export async function auditHost(host: Host): Promise<HostAudit> {
  const stored = await readRunnerDatabase(host);
  const { shims, spawners } = await launcherProcesses(host);
  const { stdout } = await run(['ip', '-n', host.namespace, '-o', 'link', 'show', 'type', 'veth']);
  return {
    ...stored,
    directories: await readdir(join(host.dataRoot, 'containers')),
    cgroups: await containerCgroups(stored.instance),
    shims,
    spawners,
    // The cable to the other machines is a veth too.
    links: [...stdout.matchAll(/^\d+: ([^@:]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'eth0'),
  };
}

/**
 * What runner.db says. A running runner has it locked, so a copy is read: the log first, so that it is never newer than
 * the file it belongs to. A copy that was torn by a checkpoint fails to open, or is old; whoever asks again gets a good one.
 */
async function readRunnerDatabase({ dataRoot }: Host) {
  const directory = await mkdtemp(join(tmpdir(), 'berth-audit-'));
  try {
    const copy = join(directory, 'runner.db');
    await copyFile(join(dataRoot, 'runner.db-wal'), `${copy}-wal`);
    await copyFile(join(dataRoot, 'runner.db'), copy);
    using database = new DatabaseSync(copy);
    const all = (sql: string) => database.prepare(sql).all();
    return {
      instance: String(all("select value from meta where key = 'instance'")[0]?.['value']),
      records: all('select id, state, pid, config from containers').map((row): RecordedContainer => {
        const { config, ...record } = containerColumns.parse(row);
        return { ...record, taskId: taskInConfig.parse(JSON.parse(config)).task?.id };
      }),
      leases: all('select container_id from network_leases').map((row) => String(row['container_id'])),
      portReservations: all('select 1 from port_reservations').length,
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function containerCgroups(instance: string): Promise<ReadonlyMap<string, readonly number[]>> {
  const tree = join((await unifiedRoot()) ?? '/sys/fs/cgroup', `berth-${instance}`);
  const entries = await readdir(tree, { withFileTypes: true });
  const names = entries.map((entry) => entry.name).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const pids = async (name: string): Promise<readonly [string, readonly number[]]> => {
    const text = await readFile(join(tree, name, 'cgroup.procs'), 'utf8').catch(() => ''); // gone just now
    return [name, text.split('\n').filter(Boolean).map(Number)];
  };
  return new Map(await Promise.all(names.map(pids)));
}

async function launcherProcesses({ namespace }: Host) {
  const { stdout } = await run(['ip', 'netns', 'pids', namespace]);
  const shims: number[] = [];
  const spawners: number[] = [];
  for (const pid of stdout.split('\n').filter(Boolean).map(Number)) {
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
    if (name === 'berth-shim') shims.push(pid);
    // The spawner runs from a copy in memory, which the kernel names it after.
    if (name.startsWith('memfd:berth')) spawners.push(pid);
  }
  return { shims, spawners };
}
