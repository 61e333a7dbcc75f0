import { BerthError } from '#shared/errors.ts';
import type { Clock, Cluster, Database } from '../ports.ts';

/** The cluster's state in the database, as the hub uses it. The database must have been migrated (`store/migrate.ts`). */
export function createCluster(_options: { readonly database: Database; readonly clock: Clock }): Cluster {
  throw new BerthError('unsupported', 'cluster.unfinished', 'the cluster store is being written');
}
