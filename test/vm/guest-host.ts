import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ContainerUpdate } from '../../runner/container/updating.ts';
import { writeBusyboxArchive } from '../engine/busybox-image.ts';
import { RemoteEngine } from '../engine/remote-engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { GuestContainer, type Ended } from './guest-containers.ts';

const run = promisify(execFile);
const dataRoot = '/run/data';

export const MEBIBYTE = 2 ** 20;

/** Of the guest, in containers that ask for it by `withProbe`. */
export const probe = '/bin/probe';

/** Options of a container that has the program `probe.c`. */
export const withProbe = {
  mounts: [
    {
      kind: 'bind',
      source: resolve(import.meta.dirname, '../../build/vm/probe'),
      destination: probe,
      readonly: true,
    },
  ],
} as const;

/** The virtual machine as a host of an engine. Disposing it takes the engine and its containers away. */
export class GuestHost implements AsyncDisposable {
  engine: RemoteEngine;
  readonly #namespace: NetworkNamespace;
  readonly #imageId: string;
  /** The cgroup in which the engine has its containers. */
  readonly cgroup: string;

  private constructor(engine: RemoteEngine, namespace: NetworkNamespace, imageId: string, cgroup: string) {
    this.engine = engine;
    this.#namespace = namespace;
    this.#imageId = imageId;
    this.cgroup = cgroup;
  }

  /** With swap, and a slow disk whose scheduler heeds the weights of cgroups. */
  static async open(): Promise<GuestHost> {
    await run('mkswap', ['/dev/vdb']);
    await run('swapon', ['/dev/vdb']);
    await useWeights('vdc');
    const namespace = await NetworkNamespace.create();
    const archive = '/run/busybox.tar';
    await writeBusyboxArchive(archive);
    const engine = await RemoteEngine.start(namespace.name, dataRoot);
    const imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
    return new GuestHost(engine, namespace, imageId, (await engine.call('place')).cgroup);
  }

  start(script: string, options: Record<string, unknown> = {}): Promise<GuestContainer> {
    return GuestContainer.start(this.engine, this.#imageId, script, options);
  }

  /** A file of the cgroup in which the engine has its containers. */
  async file(name: string): Promise<string> {
    return (await readFile(join(this.cgroup, name), 'utf8')).trim();
  }

  /** Starts it and waits for its end. */
  async run(script: string, options: Record<string, unknown>): Promise<Ended> {
    return (await this.start(script, options)).end();
  }

  async update(container: GuestContainer, resources: NonNullable<ContainerUpdate['resources']>): Promise<void> {
    await this.engine.call('update', container.id, { resources });
  }

  /** The code of the error of what should be refused. */
  async refusal(work: Promise<unknown>): Promise<string> {
    return work.then(
      () => 'accepted',
      (error: { code?: string }) => error.code ?? 'no code',
    );
  }

  /** kill -9 of the engine, something in its absence, and its return. */
  async crash(meanwhile: (database: string) => void): Promise<void> {
    await this.engine.kill();
    meanwhile(join(dataRoot, 'runner.db'));
    this.engine = await RemoteEngine.start(this.#namespace.name, dataRoot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.call('clear');
    await this.engine[Symbol.asyncDispose]();
    await this.#namespace[Symbol.asyncDispose]();
  }
}

/**
 * As an administrator does who wants weights kept to the letter: the scheduler serves one request at a time and waits for
 * the next of whose turn it is, turns are short (256 KiB), and nobody is served before his for having just begun.
 */
async function useWeights(disk: string): Promise<void> {
  const queue = `/sys/block/${disk}/queue`;
  await writeFile(join(queue, 'scheduler'), 'bfq');
  await writeFile(join(queue, 'iosched/low_latency'), '0');
  await writeFile(join(queue, 'iosched/strict_guarantees'), '1');
  await writeFile(join(queue, 'iosched/max_budget'), '512');
}
