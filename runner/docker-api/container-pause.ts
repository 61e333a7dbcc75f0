import { BerthError, isBerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { noContent, type Answer } from './answer.ts';
import { parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { notRunning, requireContainer } from './docker-errors.ts';

/** POST /containers/{id}/pause. The event comes from the change of the record. */
export async function pauseContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  if (record.state === 'restarting') {
    const text = `Container ${record.id} is restarting, wait until the container is running`;
    throw new BerthError('conflict', 'docker.restarting', text);
  }
  if (record.state !== 'running') throw notRunning(record);
  await context.engine.pause(record.id).catch((error: unknown) => {
    throw pauseError(error, record, 'pause');
  });
  return noContent;
}

/** POST /containers/{id}/unpause */
export async function unpauseContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  await context.engine.unpause(record.id).catch((error: unknown) => {
    throw pauseError(error, record, 'unpause');
  });
  return noContent;
}

function pauseError(error: unknown, record: ContainerRecord, verb: string): unknown {
  if (!isBerthError(error)) return error;
  const { id } = record;
  switch (error.code) {
    case 'container.not-running':
      return notRunning(record);
    case 'container.paused':
      return new BerthError('conflict', 'docker.paused', `Container ${id} is already paused`);
    case 'container.not-paused':
      // dockerd answers this one with 500.
      return new BerthError('internal', 'docker.not-paused', `Container ${id} is not paused`);
    default:
      return new BerthError('internal', 'docker.pause-failed', `Cannot ${verb} container ${id}: ${error.message}`, {
        cause: error,
      });
  }
}

/**
 * What cannot be done to a container that stands still.
 *
 * @param name as the client named it
 * @throws BerthError `docker.paused` with dockerd's text
 */
export function refusePaused({ paused }: ContainerRecord, before: 'exec' | 'attach', name: string): void {
  if (!paused) return;
  const subject = before === 'exec' ? `Container ${name}` : `container ${name}`;
  const text = `${subject} is paused, unpause the container before ${before}`;
  throw new BerthError('conflict', 'docker.paused', text);
}
