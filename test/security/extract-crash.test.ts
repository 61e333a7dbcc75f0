import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ociArchive } from '../support/image.ts';
import { openTestImageStore } from '../support/image-store.ts';
import { tar } from '../support/tar.ts';
import { unpackBinary } from '../support/unpack-binary.ts';

const rounds = 30;
const longestMs = 250;

function layer(name: string, files: number): Buffer {
  return tar(
    Array.from({ length: files }, (_, index) => ({ name: `${name}/${index}`, content: `${name}${index}`.repeat(50) })),
  );
}

const archive = ociArchive([
  { reference: 'one:1', layers: [layer('base', 400), layer('one', 300)] },
  { reference: 'two:1', layers: [layer('base', 400), layer('two', 200)] },
]);

test(`kill -9 at ${rounds} random moments of load and remove leaves whole images and nothing else`, async () => {
  await using images = await openTestImageStore();
  const file = join(images.root, 'archive.tar');
  await writeFile(file, archive);
  let current = images;
  let interrupted = 0;
  for (let round = 0; round < rounds; round++) {
    current.database.close();
    const program = resolve(import.meta.dirname, '../support/load-loop.ts');
    const child = spawn(process.execPath, [program, images.root, file, unpackBinary()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await delay(Math.random() * longestMs); // the moment of the fault is what is random here
    child.kill('SIGKILL');
    await once(child, 'exit');

    interrupted += (await current.files()).tmp.length > 0 ? 1 : 0;
    current = await current.reopen();
    const stored = current.store.list();
    const referenced = new Set(stored.flatMap((image) => image.config.rootfs.diff_ids.map((id) => id.slice(7))));
    expect(await current.files()).toEqual({ layers: [...referenced].toSorted(), tmp: [] });
    for (const directory of stored.flatMap((image) => image.layerDirectories)) {
      const [name = ''] = await readdir(directory);
      expect(await readdir(join(directory, name))).toHaveLength({ base: 400, one: 300, two: 200 }[name] ?? -1);
    }
  }
  expect(interrupted).toBeGreaterThan(0);
  await current.store.load(createReadStream(file), {});
  expect(current.store.list()).toHaveLength(2);
  current.database.close();
});
