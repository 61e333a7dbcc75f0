import { migrations } from '#migrations/index.ts';
import { BerthError, errorText } from '#shared/errors.ts';
import type { Client } from '@libsql/client/web';
import type { Database } from '../ports.ts';

const BREAKPOINT = '--> statement-breakpoint';

async function applied(client: Client): Promise<Set<string>> {
  const { rows } = await client.execute('SELECT name FROM schema_migrations');
  return new Set(rows.flatMap(({ name }) => (typeof name === 'string' ? [name] : [])));
}

/** The migration and the note that it ran are one batch: after a crash it has happened wholly or not at all. */
async function apply(client: Client, name: string, text: string): Promise<void> {
  try {
    await client.batch(
      [{ sql: 'INSERT INTO schema_migrations (name) VALUES (?)', args: [name] }, ...text.split(BREAKPOINT)],
      'write',
    );
  } catch (error) {
    if ((await applied(client)).has(name)) return; // another process was faster
    throw new BerthError('internal', 'store.migration', `migration ${name} failed: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/**
 * Brings the database to this version's schema: runs each migration that it has not had. A database that a newer version
 * has migrated is refused, because this one would write rows that the newer schema does not mean.
 *
 * @throws BerthError `store.migration` or `store.newer`
 */
export function migrate(database: Database): Promise<void> {
  return database.write(async (client) => {
    await client.execute('CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY NOT NULL)');
    const had = await applied(client);
    const known = new Set(migrations.map((one) => one.name));
    const unknown = [...had].filter((name) => !known.has(name));
    if (unknown.length > 0) {
      throw new BerthError(
        'conflict',
        'store.newer',
        `the database has had migration ${unknown.join(', ')}, unknown here`,
        {
          remedy: 'Run a version of Berth that is at least as new as the one that used this database last.',
        },
      );
    }
    for (const one of migrations) if (!had.has(one.name)) await apply(client, one.name, one.sql);
  });
}
