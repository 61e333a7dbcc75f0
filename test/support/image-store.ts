import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { openRunnerDatabase } from '../../runner/database.ts';
import type { LayerLimits } from '../../runner/image/limits.ts';
import { createImageStore } from '../../runner/image/local-store.ts';
import type { ImageStore } from '../../runner/image/store.ts';
import { unpackBinary } from './unpack-binary.ts';

/** A data root with an image store in it, removed on dispose. */
export interface TestImageStore extends AsyncDisposable {
  readonly root: string;
  readonly database: DatabaseSync;
  readonly store: ImageStore;
  /** What lies in `images/layers` and `images/tmp`. */
  files(): Promise<{ layers: string[]; tmp: string[] }>;
  /** Closes the database and opens everything anew, as a restarted runner does. */
  reopen(): Promise<TestImageStore>;
}

async function openAt(root: string, limits: LayerLimits | undefined): Promise<TestImageStore> {
  const database = openRunnerDatabase(join(root, 'runner.db'));
  const directory = join(root, 'images');
  const options = { database, directory, unpackBinary: unpackBinary() };
  const store = await createImageStore(limits === undefined ? options : { ...options, limits });
  return {
    root,
    database,
    store,
    async files() {
      const [layers, tmp] = await Promise.all([readdir(join(directory, 'layers')), readdir(join(directory, 'tmp'))]);
      return { layers: layers.toSorted(), tmp };
    },
    reopen() {
      if (database.isOpen) database.close();
      return openAt(root, limits);
    },
    async [Symbol.asyncDispose]() {
      if (database.isOpen) database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

export async function openTestImageStore(limits?: LayerLimits): Promise<TestImageStore> {
  return openAt(await mkdtemp(join(tmpdir(), 'berth-images-')), limits);
}
