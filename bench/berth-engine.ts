import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBusyboxArchive } from '../test/engine/busybox-image.ts';
import { RemoteEngine } from '../test/engine/remote-engine.ts';
import { NetworkNamespace } from '../test/network/namespace.ts';
import { plainConfig } from '../test/support/plain-container.ts';

/** An engine of ours in its own process and network namespace, with an image `busybox:1`; disposing removes all. */
export interface BerthEngine extends AsyncDisposable {
  readonly engine: RemoteEngine;
  readonly archive: string;
  /** Creates and starts a container; its id. */
  start(name: string, args: readonly string[]): Promise<string>;
}

export async function startBerthEngine(): Promise<BerthEngine> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const host = stack.use(await NetworkNamespace.create());
  const archive = join(directory, 'busybox.tar');
  await writeBusyboxArchive(archive);
  const engine = await RemoteEngine.start(host.name, join(directory, 'data'));
  stack.defer(async () => {
    for (const { id } of await engine.call('list')) await engine.call('remove', id, { force: true });
    await engine.call('clear');
    await engine[Symbol.asyncDispose]();
  });
  const imageId = (await engine.call('load', archive, 'busybox:1'))[0]?.id ?? '';
  const owned = stack.move();
  return {
    engine,
    archive,
    start: async (name, args) => {
      const { id } = await engine.call(
        'create',
        plainConfig({ name, image: 'busybox:1', imageId, args: [...args], hostname: '' }),
      );
      await engine.call('start', id);
      return id;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
