import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import type { RemoteEngine } from '../engine/remote-engine.ts';

/** A container of the guest's engine, and what the kernel says of its cgroup. */
export class GuestContainer {
  readonly id: string;
  readonly #engine: RemoteEngine;
  readonly #cgroup: string;

  private constructor(engine: RemoteEngine, id: string, cgroup: string) {
    this.#engine = engine;
    this.id = id;
    this.#cgroup = cgroup;
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
      ...{ name, image: 'busybox:1', imageId, args: ['/bin/sh', '-c', script], environment: [], workingDirectory: '' },
      ...{ user: '', hostname: '', labels: {}, restart: { kind: 'no' }, ports: [], publishGroup: name, ...options },
    });
    await engine.call('start', id);
    return new GuestContainer(engine, id, join((await engine.call('place')).cgroup, id));
  }

  get directory(): string {
    return this.#cgroup;
  }

  /** A file of its cgroup, `gone` when it is not there. */
  async file(name: string): Promise<string> {
    return (await readFile(join(this.#cgroup, name), 'utf8').catch(() => 'gone')).trim();
  }

  async files(names: readonly string[]): Promise<Record<string, string>> {
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await this.file(name)] as const)));
  }

  /** A line of its first process's /proc/PID/status. */
  async status(field: string): Promise<string> {
    const { pid } = await this.record();
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  }

  async record(): Promise<ContainerRecord> {
    const record = await this.#engine.call('find', this.id);
    if (record === undefined || record === null) throw new Error(`container ${this.id} is not there`);
    return record;
  }

  async exec(script: string): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    const result = await this.#engine.call('exec', this.id, { args: ['sh', '-c', script] });
    return result as { stdout: string; stderr: string; exitCode: number };
  }

  /** Processor time that it used, as a share of the time that went by. */
  async cpuShare(ms: number): Promise<number> {
    const [from, used] = [performance.now(), await this.#cpuUsec()];
    await delay(ms);
    return (await this.#cpuUsec()) === used ? 0 : ((await this.#cpuUsec()) - used) / 1000 / (performance.now() - from);
  }

  async #cpuUsec(): Promise<number> {
    return Number(/^usage_usec (\d+)$/m.exec(await this.file('cpu.stat'))?.[1]);
  }

  /** Waits for its end, or makes one; answers what is known of it then, and removes it. */
  async end(signal?: string): Promise<{ record: ContainerRecord; log: string }> {
    if (signal !== undefined) await this.#engine.call('kill', this.id, signal);
    await this.#engine.call('wait', this.id);
    const record = await this.record();
    const log = (await this.#engine.call('logs', this.id, { follow: false })).map((entry) => entry.text).join('');
    await this.#engine.call('remove', this.id);
    return { record, log };
  }
}
