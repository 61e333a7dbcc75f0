import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { writeBusyboxArchive } from './busybox-image.ts';
import { RemoteEngine } from './remote-engine.ts';
import { plainConfig } from '../support/plain-container.ts';

/** An engine with one image, in a network namespace and with a data root of its own; nothing of it is left. */
export class EngineStage implements AsyncDisposable {
  /** Another one after each `restart`. */
  engine: RemoteEngine;
  readonly host: NetworkNamespace;
  /** The data root. */
  readonly data: string;
  readonly imageId: string;
  readonly #stack: AsyncDisposableStack;
  #count = 0;

  private constructor(stack: AsyncDisposableStack, place: Pick<EngineStage, 'engine' | 'host' | 'data' | 'imageId'>) {
    this.#stack = stack;
    this.engine = place.engine;
    this.host = place.host;
    this.data = place.data;
    this.imageId = place.imageId;
  }

  static async open(): Promise<EngineStage> {
    await using stack = new AsyncDisposableStack();
    const root = await mkdtemp(join(tmpdir(), 'berth-engine-'));
    stack.defer(() => rm(root, { recursive: true }));
    const host = stack.use(await NetworkNamespace.create());
    const archive = join(root, 'busybox.tar');
    await writeBusyboxArchive(archive);
    const data = join(root, 'data');
    const engine = await RemoteEngine.start(host.name, data);
    const imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
    return new EngineStage(stack.move(), { engine, host, data, imageId });
  }

  /** A new engine on the same data root, once the one before has ended. */
  async restart(): Promise<void> {
    this.engine = await RemoteEngine.start(this.host.name, this.data);
  }

  /** A container of the image; its name is its own unless the options say one. */
  create(args: readonly string[], options: object = {}): Promise<ContainerRecord> {
    this.#count += 1;
    const name = `c${this.#count}`;
    const config = {
      name,
      image: 'busybox:1',
      imageId: this.imageId,
      args: [...args],
      hostname: '',
      publishGroup: name,
      ...options,
    };
    return this.engine.call('create', plainConfig(config));
  }

  async start(args: readonly string[], options: object = {}): Promise<ContainerRecord> {
    const { id } = await this.create(args, options);
    await this.engine.call('start', id);
    return this.record(id);
  }

  async record(reference: string): Promise<ContainerRecord> {
    const found = await this.engine.call('find', reference);
    if (found === undefined || found === null) throw new Error(`no container ${reference}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#stack;
    for (const { id } of await this.engine.call('list')) await this.engine.call('remove', id, { force: true });
    await this.engine.call('clear');
    await this.engine[Symbol.asyncDispose]();
  }
}
