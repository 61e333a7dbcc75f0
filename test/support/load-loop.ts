import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { openRunnerDatabase } from '../../runner/database.ts';
import { createImageStore } from '../../runner/image/local-store.ts';

/** Loads and removes the same archive for ever, to be killed in the middle: ROOT ARCHIVE UNPACK-BINARY. */
const [root = '', archive = '', unpackBinary = ''] = process.argv.slice(2);
const database = openRunnerDatabase(join(root, 'runner.db'));
const store = await createImageStore({ database, directory: join(root, 'images'), unpackBinary });
process.stdout.write('ready\n');
for (;;) {
  await Promise.all([store.load(createReadStream(archive), {}), store.load(createReadStream(archive), {})]);
  for (const image of store.list()) await store.remove(image.id);
}
