import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BerthError } from '#shared/errors.ts';
import { startFiles } from '../archive/files-program.ts';
import { outputOf } from '../archive/local-container-files.ts';
import { isErrno } from '../os/files.ts';
import type { RootFilesystem } from '../os/root-filesystem.ts';
import { MAX_CHANGES, type RootChange } from './storage-driver.ts';

/*
 * Roots that are complete trees (vfs, btrfs), at `root` in their container's directory. What a container has changed is
 * found by comparing the tree with its image's layers: type, mode, owner, size and time of modification, and the content
 * of what was touched since the tree was made.
 */

export function rootPath(directory: string): string {
  return join(directory, 'root');
}

export function completeRoot(directory: string): RootFilesystem {
  return { kind: 'directory', path: rootPath(directory) };
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** A file whose time is that of the tree's making. */
function madePath(directory: string): string {
  return join(directory, 'made');
}

/** The tree is complete, and nobody has had it yet. */
export async function markMade(directory: string): Promise<void> {
  await writeFile(madePath(directory), '', { mode: 0o600 });
}

/** Runs berth-files on a directory of the host, for what it does and not what it writes. */
export async function runFiles(binary: string, tree: string, argv: readonly string[]): Promise<void> {
  using run = startFiles(binary, ['tree', tree, '--', ...argv], { input: 'ignore' });
  run.output.resume();
  await run.ended;
}

/** Puts a layer upon what its lower layers have made of a directory; whiteouts are carried out. */
export function layOver(binary: string, layer: string, directory: string): Promise<void> {
  return runFiles(binary, layer, ['lay-over', directory]);
}

async function changeArguments(
  directory: string,
  layers: readonly string[],
  form: 'list' | 'layer',
  skipped: readonly string[],
): Promise<string[]> {
  // Where that file is missing, a crash came in between: then all files are read.
  const made = await stat(madePath(directory), { bigint: true }).catch(() => undefined);
  const nanoseconds = made?.mtimeNs ?? 0n;
  const time = [nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n].map(String);
  const lower = layers.toReversed();
  return ['tree', rootPath(directory), '--', 'changes', form, ...time, String(lower.length), ...lower, ...skipped];
}

const kinds: Readonly<Record<string, RootChange['kind']>> = { A: 'added', M: 'modified', D: 'deleted' };

/** In the order of the walk: a container may have changed more than fits in memory. */
async function* changesOf(binary: string, directory: string, layers: readonly string[]): AsyncGenerator<RootChange> {
  using run = startFiles(binary, await changeArguments(directory, layers, 'list', []), { input: 'ignore' });
  let rest = '';
  for await (const chunk of run.output.setEncoding('utf8') as AsyncIterable<string>) {
    const records = (rest + chunk).split('\0');
    rest = records.pop() ?? '';
    yield* records.map(parseChange);
  }
  await run.ended;
}

function parseChange(record: string): RootChange {
  const [, letter = '', size = '', path = ''] = /^(.) (\d+) (.+)$/s.exec(record) ?? [];
  const kind = kinds[letter];
  if (kind === undefined) throw new BerthError('internal', 'storage.changes', `berth-files told "${record}"`);
  return { kind, path: `/${path}`, sizeBytes: Number(size) };
}

export async function treeChanges(
  binary: string,
  directory: string,
  layers: readonly string[],
): Promise<readonly RootChange[]> {
  const changes: RootChange[] = [];
  for await (const change of changesOf(binary, directory, layers)) {
    if (changes.push(change) === MAX_CHANGES) break;
  }
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

export async function readTreeChanges(
  binary: string,
  directory: string,
  layers: readonly string[],
  { skipped, signal }: { readonly skipped: readonly string[]; readonly signal?: AbortSignal },
): Promise<Readable> {
  const run = startFiles(binary, await changeArguments(directory, layers, 'layer', skipped), {
    input: 'ignore',
    signal,
  });
  await run.begun;
  return outputOf(run);
}

export async function treeWrittenBytes(binary: string, directory: string, layers: readonly string[]): Promise<number> {
  if (!(await exists(rootPath(directory)))) return 0;
  let bytes = 0;
  for await (const { sizeBytes } of changesOf(binary, directory, layers)) bytes += sizeBytes;
  return bytes;
}
