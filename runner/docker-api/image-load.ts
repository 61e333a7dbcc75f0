import { PassThrough } from 'node:stream';
import { errorText, isBerthError } from '#shared/errors.ts';
import type { Answer } from './answer.ts';
import { flag, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { tellImage } from './images.ts';
import { familiar } from './translate/image-document.ts';

/** POST /images/load: the body is an archive as `docker save` makes it, plain or compressed. */
export function loadImages(context: DockerApiContext, request: ApiRequest): Answer {
  const quiet = flag(request, 'quiet');
  return {
    kind: 'stream',
    contentType: 'application/json',
    async write(output) {
      const archive = new PassThrough();
      archive.on('error', () => {}); // also when the load has ended, and nobody else listens
      request.body.on('error', (error) => archive.destroy(error));
      request.body.pipe(archive);
      // Of progress that could not be sent yet only the newest is kept.
      let sending: Promise<void> | undefined;
      try {
        const images = await context.images.load(archive, {
          signal: output.signal,
          onProgress: (status) => {
            if (quiet || sending !== undefined) return;
            sending = output
              .json({ status, progressDetail: {} })
              .catch(() => {})
              .finally(() => (sending = undefined));
          },
        });
        await sending;
        for (const image of images) {
          const names = image.references.map(familiar);
          for (const name of names) await output.json({ stream: `Loaded image: ${name}\n` });
          if (names.length === 0) await output.json({ stream: `Loaded image ID: ${image.id}\n` });
          tellImage(context, 'load', image.id, names[0] ?? image.id);
        }
      } catch (error) {
        if (output.signal.aborted) return;
        const remedy = isBerthError(error) && error.remedy !== undefined ? `. ${error.remedy}` : '';
        const message = `${errorText(error)}${remedy}`;
        await output.json({ errorDetail: { message }, error: message });
      } finally {
        request.body.unpipe(archive);
        request.body.resume(); // what follows the archive, so that its sender comes to the end
      }
    },
  };
}
