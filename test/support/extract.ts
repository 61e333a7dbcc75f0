import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultLayerLimits } from '../../runner/image/limits.ts';
import type { LayerLimits } from '../../runner/image/limits.ts';
import { unpack } from '../../runner/image/unpack.ts';
import type { UnpackFailure, UnpackedLayer } from '../../runner/image/unpack.ts';

/** What berth-unpack made of one stream: `tree` is the layer, `around` its parent, where an escape would show. */
export interface Extraction extends AsyncDisposable {
  readonly around: string;
  readonly tree: string;
  readonly report: UnpackedLayer | UnpackFailure;
}

/** Runs an unpacker over the bytes of a layer, in a temp directory of its own. */
export async function extract(
  binary: string,
  layer: Uint8Array,
  limits: Partial<LayerLimits> = {},
): Promise<Extraction> {
  const around = await mkdtemp(join(tmpdir(), 'berth-extract-'));
  const tree = join(around, 'tree');
  const file = join(around, 'layer');
  await mkdir(tree);
  await writeFile(file, layer);
  await using handle = await open(file);
  const source = { kind: 'file', fd: handle.fd } as const;
  const report = await unpack(binary, tree, source, { limits: { ...defaultLayerLimits, ...limits } });
  return { around, tree, report, [Symbol.asyncDispose]: () => rm(around, { recursive: true, force: true }) };
}
