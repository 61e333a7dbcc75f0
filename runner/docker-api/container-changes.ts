import { containerPaths } from '../container/paths.ts';
import { json, type Answer } from './answer.ts';
import { parameter, type ApiRequest } from './api-request.ts';
import { layersOf } from './container-view.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

interface Change {
  readonly Path: string;
  readonly Kind: (typeof kinds)[keyof typeof kinds];
}

/** What a start makes where an image lacks it; dockerd has it in a layer of its own. */
export const madeByStart: ReadonlySet<string> = new Set([
  '/etc/hosts',
  '/etc/hostname',
  '/etc/resolv.conf',
  '/dev',
  '/proc',
  '/sys',
  '/etc/mtab',
  '/.dockerenv',
]);

/** GET /containers/{id}/changes: what the container has changed upon its image's layers. */
export async function containerChanges(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const { directory } = containerPaths(context.containersDirectory, record.id);
  const found = await context.storage.changes(directory, layersOf(context, record));
  const changes = found
    .filter(({ path }) => !madeByStart.has(path))
    .map(({ path, kind }): Change => ({ Path: path, Kind: kinds[kind] }));
  return json(changes.length === 0 ? null : withoutBareParents(changes));
}

/** A directory that is there only for the files that a start makes is no change. */
function withoutBareParents(changes: readonly Change[]): readonly Change[] {
  const bare = (path: string): boolean => path === '/etc' && !changes.some((change) => change.Path.startsWith('/etc/'));
  return changes.filter(({ Path: path, Kind: kind }) => !(kind === kinds.modified && bare(path)));
}
