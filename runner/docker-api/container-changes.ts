import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { json, type Answer } from './answer.ts';
import { parameter, type ApiRequest } from './api-request.ts';
import { placeOf } from './container-view.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

interface Change {
  readonly Path: string;
  readonly Kind: (typeof kinds)[keyof typeof kinds];
}

/** Longest list that is told. */
const MAX_CHANGES = 200_000;

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

/** GET /containers/{id}/changes: the upper directory against the image's layers. */
export async function containerChanges(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const { upper, layers } = placeOf(context, record);
  const changes: Change[] = [];
  const waiting = [''];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of await readdir(join(upper, directory), { withFileTypes: true }).catch(() => [])) {
      const path = `${directory}/${entry.name}`;
      if (madeByStart.has(path)) continue;
      const status = await lstat(join(upper, path)).catch(() => undefined);
      if (status === undefined || changes.length >= MAX_CHANGES) continue;
      const deleted = status.isCharacterDevice() && status.rdev === 0;
      if (deleted) changes.push({ Path: path, Kind: kinds.deleted });
      else changes.push({ Path: path, Kind: (await isBelow(layers, path)) ? kinds.modified : kinds.added });
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  const sorted = changes.toSorted((a, b) => (a.Path < b.Path ? -1 : 1));
  return json(sorted.length === 0 ? null : withoutBareParents(sorted));
}

async function isBelow(layers: readonly string[], path: string): Promise<boolean> {
  for (const layer of layers.toReversed()) {
    const status = await lstat(join(layer, path)).catch(() => undefined);
    if (status !== undefined) return !(status.isCharacterDevice() && status.rdev === 0);
  }
  return false;
}

/** A directory that is there only for the files that a start makes is no change. */
function withoutBareParents(changes: readonly Change[]): readonly Change[] {
  const bare = (path: string): boolean => path === '/etc' && !changes.some((change) => change.Path.startsWith('/etc/'));
  return changes.filter(({ Path: path, Kind: kind }) => !(kind === kinds.modified && bare(path)));
}
