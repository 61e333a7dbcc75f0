import { BerthError } from '#shared/errors.ts';
import type { Database } from '../ports.ts';

/** Brings the database to this version's schema: runs each migration that it has not had, each in one batch. */
export async function migrate(_database: Database): Promise<void> {
  throw new BerthError('unsupported', 'migrate.unfinished', 'migrations are being written');
}
