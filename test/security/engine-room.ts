import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { RemoteEngine } from '../engine/remote-engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { busyboxRootfs } from '../support/image.ts';
import { tar, type TarEntry } from '../support/tar.ts';

/** What a script printed, and how it ended. */
export interface ScriptResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The static program of probe.c, as an entry of an image. */
function probeEntry(): TarEntry {
  const path = join(tmpdir(), `berth-probe-${process.pid}`);
  execFileSync('gcc', ['-static', '-O1', '-Wall', '-Werror', '-o', path, join(import.meta.dirname, 'probe.c')]);
  try {
    return { name: 'bin/probe', mode: 0o755, content: readFileSync(path) };
  } finally {
    execFileSync('rm', [path]);
  }
}

/**
 * A real container engine (image store, network, launcher, cgroup) with its default policy, in a network namespace and
 * data root of its own; everything is removed at the end.
 */
export class EngineRoom implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly engine: RemoteEngine;
  /** The temporary directory; the data root is `data` in it. */
  readonly directory: string;
  readonly #probe = probeEntry();
  #count = 0;

  private constructor(stack: AsyncDisposableStack, engine: RemoteEngine, directory: string) {
    this.#stack = stack;
    this.engine = engine;
    this.directory = directory;
  }

  static async open(): Promise<EngineRoom> {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'berth-secure-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const host = stack.use(await NetworkNamespace.create());
    const engine = await RemoteEngine.start(host.name, join(directory, 'data'));
    stack.defer(async () => {
      for (const { id } of await engine.call('list')) await engine.call('remove', id, { force: true });
      await engine.call('clear');
      await engine[Symbol.asyncDispose]();
    });
    return new EngineRoom(stack.move(), engine, directory);
  }

  get dataRoot(): string {
    return join(this.directory, 'data');
  }

  /** Loads an image of busybox, the probe, and these entries, which replace others of the same name; answers its ID. */
  async image(...extra: readonly TarEntry[]): Promise<string> {
    this.#count += 1;
    const plain = (name: string) => name.replace(/\/$/, '');
    const replaced = new Set(extra.map(({ name }) => plain(name)));
    const kept = [...busyboxRootfs(), this.#probe].filter(({ name }) => !replaced.has(plain(name)));
    const archive = join(this.directory, `image${this.#count}.tar`);
    await writeFile(archive, tar([...kept, ...extra]));
    const [image] = await this.engine.call('load', archive, `attack${this.#count}:1`);
    await rm(archive);
    if (image === undefined) throw new Error('no image was loaded');
    return image.id;
  }

  async create(imageId: string, args: readonly string[], options: object = {}): Promise<ContainerRecord> {
    this.#count += 1;
    const name = `c${this.#count}`;
    const none = { environment: [], workingDirectory: '', user: '', hostname: '', labels: {}, ports: [] };
    const config = {
      name,
      image: name,
      imageId,
      args,
      ...none,
      restart: { kind: 'no' },
      publishGroup: name,
      ...options,
    };
    return this.engine.call('create', config);
  }

  /** A container that runs until it is stopped. */
  async start(imageId: string, options: object = {}): Promise<ContainerRecord> {
    const { id } = await this.create(imageId, ['sleep', '1000'], options);
    await this.engine.call('start', id);
    const record = await this.engine.call('find', id);
    if (record === undefined) throw new Error('the container is gone');
    return record;
  }

  async exec(id: string, args: readonly string[], options: object = {}): Promise<ScriptResult> {
    return (await this.engine.call('exec', id, { args, ...options })) as ScriptResult;
  }

  /** Runs a script as a container's first process, and removes the container. */
  async run(imageId: string, script: string, options: object = {}): Promise<ScriptResult> {
    const { id } = await this.create(imageId, ['sh', '-c', script], options);
    try {
      await this.engine.call('start', id);
      const exitCode = await this.engine.call('wait', id);
      const log = await this.engine.call('logs', id, { follow: false });
      const of = (name: string) => log.flatMap(({ stream, text }) => (stream === name ? [text] : [])).join('');
      return { stdout: of('stdout'), stderr: of('stderr'), exitCode };
    } finally {
      await this.engine.call('remove', id, { force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
