import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import type { RemoteEngine } from '../engine/remote-engine.ts';

/** How a container ended: what the engine says of it then, and what it wrote. */
export interface Ended {
  readonly record: ContainerRecord;
  readonly log: string;
}

/** Not oftener: each look takes time of the emulated processors from what is looked at. */
const pollMs = 200;
/** Long after what should be told is told on a busy host. */
const tellMs = 120_000;

/** A container of the guest's engine, and what the kernel says of its cgroup. */
export class GuestContainer {
  readonly id: string;
  /** Its cgroup. */
  readonly directory: string;
  readonly #engine: RemoteEngine;

  private constructor(engine: RemoteEngine, id: string, directory: string) {
    this.#engine = engine;
    this.id = id;
    this.directory = directory;
  }

  /** Made of `busybox:1` and started. */
  static async start(
    engine: RemoteEngine,
    imageId: string,
    script: string,
    options: Record<string, unknown>,
  ): Promise<GuestContainer> {
    const name = `c${Math.random().toString(36).slice(2)}`;
    const { id } = await engine.call('create', {
      name,
      image: 'busybox:1',
      imageId,
      args: ['/bin/sh', '-c', script],
      environment: [],
      workingDirectory: '',
      user: '',
      hostname: '',
      labels: {},
      restart: { kind: 'no' },
      ports: [],
      publishGroup: name,
      ...options,
    });
    const { config } = await engine.call('start', id).then(
      async () => requireRecord(await engine.call('find', id), id),
      async (error: unknown) => {
        await engine.call('remove', id);
        throw error;
      },
    );
    return new GuestContainer(engine, id, join((await engine.call('place')).cgroup, config.cgroupParent, id));
  }

  /** A file of its cgroup, `gone` when it is not there. */
  async file(name: string): Promise<string> {
    return (await readFile(join(this.directory, name), 'utf8').catch(() => 'gone')).trim();
  }

  async files(names: readonly string[]): Promise<Record<string, string>> {
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await this.file(name)] as const)));
  }

  /**
   * A number of a file of its cgroup: the whole file, or that of a key (`usage_usec 5`), in the line that begins `within`
   * (`254:0 rbytes=5`). 0 while the kernel has no such key yet; NaN when the file is not there.
   */
  async count(name: string, key = '', within = ''): Promise<number> {
    const text = await this.file(name);
    if (key === '' || text === 'gone') return Number(text);
    const lines = text.split('\n').filter((line) => line.startsWith(within));
    return Number(new RegExp(`(?:^|\\s)${key}[ =](\\d+)`, 'm').exec(lines.join('\n'))?.[1] ?? 0);
  }

  /** A line of its first process's /proc/PID/status. */
  async status(field: string): Promise<string> {
    const { pid } = await this.record();
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  }

  async record(): Promise<ContainerRecord> {
    return requireRecord(await this.#engine.call('find', this.id), this.id);
  }

  /** Its record, once that says so: what the kernel tells the engine comes a moment later. */
  async told(so: (record: ContainerRecord) => boolean): Promise<ContainerRecord> {
    const deadline = performance.now() + tellMs;
    for (;;) {
      const record = await this.record();
      if (so(record) || performance.now() > deadline) return record;
      await delay(pollMs);
    }
  }

  async exec(script: string): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    const result = await this.#engine.call('exec', this.id, { args: ['sh', '-c', script] });
    return result as { stdout: string; stderr: string; exitCode: number };
  }

  async log(): Promise<string> {
    return (await this.#engine.call('logs', this.id, { follow: false })).map((entry) => entry.text).join('');
  }

  /** Waits until its log has these words. */
  async says(words: string): Promise<void> {
    while (!(await this.log()).includes(words)) await delay(pollMs);
  }

  /** Processor time that it used, as a share of the time that went by. */
  async cpuShare(ms: number): Promise<number> {
    const used = (): Promise<number> => this.count('cpu.stat', 'usage_usec');
    const [from, before] = [performance.now(), await used()];
    await delay(ms);
    return ((await used()) - before) / 1000 / (performance.now() - from);
  }

  async signal(name: string): Promise<void> {
    await this.#engine.call('kill', this.id, name);
  }

  /** Waits for its end, or makes one; answers what is known of it then, and removes it. */
  async end(signal?: string): Promise<Ended> {
    if (signal !== undefined) await this.signal(signal);
    await this.#engine.call('wait', this.id);
    const ended = { record: await this.record(), log: await this.log() };
    await this.#engine.call('remove', this.id);
    return ended;
  }
}

function requireRecord(record: ContainerRecord | null | undefined, id: string): ContainerRecord {
  if (record === undefined || record === null) throw new Error(`container ${id} is not there`);
  return record;
}

/**
 * By how much each of these counters has grown, once `enough` says so.
 *
 * @throws Error when one of them is gone
 */
export async function growth(
  counters: readonly (() => Promise<number>)[],
  enough: (grown: readonly number[]) => boolean,
): Promise<readonly number[]> {
  const read = (): Promise<number[]> => Promise.all(counters.map((one) => one()));
  const from = await read();
  for (;;) {
    const grown = (await read()).map((now, at) => now - (from[at] ?? 0));
    if (grown.includes(NaN)) throw new Error('a counter is gone: its container has ended');
    if (enough(grown)) return grown;
    await delay(pollMs);
  }
}

/** They have together grown by so much. */
export const altogether =
  (amount: number) =>
  (grown: readonly number[]): boolean =>
    grown.reduce((sum, one) => sum + one, 0) >= amount;
