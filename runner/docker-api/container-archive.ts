import { PassThrough } from 'node:stream';
import { BerthError, isBerthError } from '#shared/errors.ts';
import type { FileView, PathStat } from '../archive/container-files.ts';
import { containerOwner } from '../archive/container-owner.ts';
import type { ContainerRecord } from '../container/engine.ts';
import type { Answer } from './answer.ts';
import { flag, option, parameter, type ApiRequest } from './api-request.ts';
import { seen, watchContainer } from './container-files-view.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { streamOf } from './stream-answer.ts';
import { containerEvent } from './translate/event-message.ts';
import { pathStatHeader } from './translate/path-stat.ts';

/** Of st_mode. */
const TYPE_MASK = 0o170000;
const DIRECTORY = 0o040000;

const statHeader = 'X-Docker-Container-Path-Stat';

function pathOf(request: ApiRequest): string {
  const path = option(request, 'path');
  // The blank that is missing is missing in dockerd's text, too.
  if (path === undefined) throw new BerthError('invalid', 'docker.path-missing', 'bad parameter: pathcannot be empty');
  return path;
}

/** With dockerd's words for a path that is not there. */
async function asked<T>(request: ApiRequest, path: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!isBerthError(error) || error.code !== 'file.unknown') throw error;
    throw notThere(request, path, error);
  }
}

function notThere(request: ApiRequest, path: string, cause?: Error): BerthError {
  const message = `Could not find the file ${path} in container ${parameter(request, 'id')}`;
  return new BerthError('not-found', 'docker.no-file', message, { cause });
}

function found(context: DockerApiContext, request: ApiRequest): { record: ContainerRecord; path: string } {
  const record = requireContainer(context, parameter(request, 'id'));
  return { record, path: pathOf(request) };
}

/** What a path names; one with a slash or a dot at its end names a directory, or nothing. */
async function named(context: DockerApiContext, request: ApiRequest, view: FileView, path: string): Promise<PathStat> {
  const stat = await context.files.stat(view, path);
  if (/\/\.?$/.test(path) && (stat.mode & TYPE_MASK) !== DIRECTORY) throw notThere(request, path);
  return stat;
}

/** HEAD /containers/{id}/archive */
export async function statArchive(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const { record, path } = found(context, request);
  const looked = seen(context, record, (view) => named(context, request, view, path));
  const { result } = await asked(request, path, looked);
  return { kind: 'empty', status: 200, headers: { [statHeader]: pathStatHeader(result) } };
}

/** GET /containers/{id}/archive: a tar of the file, or of the directory with all below it. */
export async function readArchive(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const { record, path } = found(context, request);
  const watch = watchContainer(context, record.id, { signal: request.signal, untilStart: false });
  // Both by one view: the container may end between the two.
  const both = seen(context, record, async (view) => ({
    stat: await named(context, request, view, path),
    archive: await context.files.read(view, path, { signal: watch.signal }),
  }));
  const { stat, archive } = (
    await asked(request, path, both).catch((error: unknown) => {
      watch[Symbol.dispose]();
      throw error;
    })
  ).result;
  archive.once('close', () => watch[Symbol.dispose]());
  context.events.tell(containerEvent(record, 'archive-path'));
  return {
    kind: 'stream',
    contentType: 'application/x-tar',
    headers: { [statHeader]: pathStatHeader(stat) },
    write: streamOf(archive),
  };
}

/** PUT /containers/{id}/archive: a tar is unpacked in a directory of the container. */
export async function writeArchive(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const { record, path } = found(context, request);
  const looked = seen(context, record, (view) => named(context, request, view, path));
  const { view } = await asked(request, path, looked);
  const owner = flag(request, 'copyUIDGID') ? await containerOwner(context.files, view, record.config.user) : undefined;
  using watch = watchContainer(context, record.id, { signal: request.signal, untilStart: view.kind === 'root' });
  const archive = new PassThrough();
  request.body.on('error', (error) => archive.destroy(error));
  request.body.pipe(archive);
  const options = { noOverwriteDirNonDir: flag(request, 'noOverwriteDirNonDir'), owner, signal: watch.signal };
  try {
    await asked(request, path, context.files.write(view, path, archive, options));
  } finally {
    request.body.unpipe(archive);
    archive.destroy();
  }
  context.events.tell(containerEvent(record, 'extract-to-dir'));
  return { kind: 'empty', status: 200 };
}
