import { createClient } from '@libsql/client/web';
import type { Database } from '../ports.ts';

/**
 * A libSQL server over HTTP (Hrana): Turso, a self-hosted sqld, or `control-plane/dev/`. The server serialises
 * transactions; `store/commit.ts` makes the writes of several control planes safe.
 */
export function openRemote(options: { readonly url: string; readonly authToken?: string | undefined }): Database {
  const client = createClient({
    url: options.url,
    ...(options.authToken === undefined ? {} : { authToken: options.authToken }),
  });
  return { read: client, write: (use) => use(client) };
}
