import type { Answer } from './answer.ts';
import { parameter, type ApiRequest } from './api-request.ts';
import { rootOf, watchContainer } from './container-files-view.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { streamOf } from './stream-answer.ts';
import { containerEvent } from './translate/event-message.ts';

/** GET /containers/{id}/export: the root file system as one tar, without what is mounted in it. */
export async function exportContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const view = { kind: 'root', root: rootOf(context, record), binds: [] } as const;
  const watch = watchContainer(context, record.id, { signal: request.signal, untilStart: false });
  const options = { sameFilesystem: true, signal: watch.signal };
  const archive = await context.files.read(view, '/', options).catch((error: unknown) => {
    watch[Symbol.dispose]();
    throw error;
  });
  archive.once('close', () => watch[Symbol.dispose]());
  context.events.tell(containerEvent(record, 'export'));
  return { kind: 'stream', contentType: 'application/octet-stream', write: streamOf(archive) };
}
