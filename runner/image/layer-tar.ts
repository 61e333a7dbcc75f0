import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Digest } from '#shared/digest.ts';
import { BerthError } from '#shared/errors.ts';
import { processEnd } from '../os/process-end.ts';
import { startedProcess } from '../os/started-process.ts';
import type { LayerStore } from './layer-store.ts';

/**
 * The length of a layer's tar.
 *
 * @throws BerthError `image.layer-not-kept`
 */
export function layerTarBytes(layers: LayerStore, diffId: Digest): number {
  const tarBytes = layers.find(diffId)?.tarBytes;
  if (tarBytes !== undefined) return tarBytes;
  throw new BerthError('unsupported', 'image.layer-not-kept', `save layer ${diffId}: its tar cannot be made again`, {
    remedy: 'Load the image again; a tar that has two entries of one name is not kept.',
  });
}

/**
 * A layer's tar, made again from its tree to the byte: what comes is what was hashed when it was unpacked, or this fails
 * before its end.
 *
 * @throws BerthError `image.layer-damaged`
 */
export async function* layerTar(
  binary: string,
  layers: LayerStore,
  diffId: Digest,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  signal?.throwIfAborted();
  const argv = ['assemble', layers.treeDirectory(diffId), layers.recipePath(diffId), String(process.pid)];
  const child = startedProcess(spawn(binary, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: {} }));
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  const ended = processEnd(child);
  ended.catch(() => {}); // it may be that nobody comes to ask
  const said = text(child.stderr).catch(() => '');
  const hash = createHash('sha256');
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
    signal?.throwIfAborted();
    const how = await ended;
    const found = `sha256:${hash.digest('hex')}`;
    if (how !== 'status 0' || found !== diffId)
      throw damaged(diffId, how === 'status 0' ? `it is ${found} now` : await said);
  } finally {
    kill();
    signal?.removeEventListener('abort', kill);
  }
}

function damaged(diffId: Digest, why: string): BerthError {
  return new BerthError('internal', 'image.layer-damaged', `save layer ${diffId}: ${why.trim()}`, {
    remedy: 'Its files were changed on disk. Remove the images that have it, and load them again.',
  });
}
