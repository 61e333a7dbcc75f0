import { pathToFileURL } from 'node:url';
import { createClient } from '@libsql/client/node';
import type { Client } from '@libsql/client/web';
import type { Database } from '../ports.ts';

/** How long a connection waits for the file's lock, in milliseconds: a backup or a shell may hold it. */
const BUSY_TIMEOUT_MS = 5000;

/** Runs uses one after the other, in the order in which they came; one that fails does not stop the next. */
function serialise(client: Client): Database['write'] {
  let last: Promise<unknown> = Promise.resolve();
  return (use) => {
    const next = last.then(() => use(client));
    last = next.catch(() => undefined); // its caller has the error; the queue only needs to know that it ended
    return next;
  };
}

/**
 * The database in a file of this process, which must be the only one that uses it. The embedded client corrupts itself
 * under concurrent transactions, so one client writes behind a mutex, and another one reads beside it (WAL).
 * `synchronous` stays FULL: an epoch that was given out must not be forgotten by a power cut.
 */
export async function openEmbedded(path: string): Promise<Database & AsyncDisposable> {
  const config = { url: pathToFileURL(path).href, timeout: BUSY_TIMEOUT_MS };
  const writer = createClient({ ...config, concurrency: 1 });
  await writer.execute('PRAGMA journal_mode = WAL');
  const reader = createClient({ ...config, concurrency: 4 });
  const write = serialise(writer);
  return {
    read: reader,
    write,
    async [Symbol.asyncDispose]() {
      await write(() => Promise.resolve());
      reader.close();
      writer.close();
    },
  };
}
