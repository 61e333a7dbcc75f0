import { PassThrough } from 'node:stream';
import { BerthError, errorText } from '#shared/errors.ts';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import { feedArchive } from '../archive/decompress.ts';
import { changeConfig } from '../image/change-config.ts';
import { newConfigText } from '../image/committed-config.ts';
import { hostArchitecture } from '../image/platform.ts';
import type { Answer } from './answer.ts';
import { option, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { notInThisVersion } from './docker-errors.ts';
import { tellImage } from './images.ts';

/** POST /images/create: `fromSrc=-` makes an image of the root file system in the body. */
export function createImage(context: DockerApiContext, request: ApiRequest): Answer {
  if (option(request, 'fromImage') !== undefined) throw notInThisVersion('Pulling images');
  const source = option(request, 'fromSrc');
  if (source === undefined) throw new BerthError('invalid', 'docker.no-source', 'fromImage or fromSrc must be given');
  if (source !== '-') throw notInThisVersion('Importing an image from a URL');
  const repository = option(request, 'repo');
  const tag = option(request, 'tag');
  const target = repository === undefined ? undefined : `${repository}${tag === undefined ? '' : `:${tag}`}`;
  const reference = target === undefined ? undefined : formatReference(parseReference(target));
  const platform = platformOf(option(request, 'platform'));
  const config = changeConfig({}, request.query.getAll('changes'));
  const step = {
    created: new Date(context.clock()).toISOString(),
    createdBy: '',
    author: '',
    comment: option(request, 'message') ?? 'Imported from -',
  };
  return {
    kind: 'stream',
    contentType: 'application/json',
    async write(output) {
      const [archive, layer] = [new PassThrough(), new PassThrough()];
      request.body.on('error', (error) => archive.destroy(error));
      request.body.pipe(archive);
      const feeding = feedArchive(archive, layer, output.signal).catch((error: unknown) => {
        layer.destroy(error instanceof Error ? error : new Error(errorText(error)));
      });
      try {
        const image = await context.images.create({
          layer,
          reference,
          signal: output.signal,
          configText: (layers) => newConfigText({ platform, config, step, layers, emptyLayer: false }),
        });
        await feeding;
        await output.json({ status: image.id });
        tellImage(context, 'import', image.id, target ?? image.id);
      } catch (error) {
        if (output.signal.aborted) return;
        const message = errorText(error);
        await output.json({ errorDetail: { message }, error: message });
      } finally {
        request.body.unpipe(archive);
        archive.destroy();
        request.body.resume();
      }
    },
  };
}

/** `os[/architecture[/variant]]`; an image for another machine could not be run here. */
function platformOf(text: string | undefined): { readonly os: string; readonly architecture: string } {
  const [os = 'linux', architecture = hostArchitecture] = (text ?? '').split('/').filter((part) => part !== '');
  return { os, architecture };
}
