import { z } from 'zod';
import { BerthError, isBerthError } from '#shared/errors.ts';
import { json, type Answer } from './answer.ts';
import { jsonBody, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { hostLimits } from './host-limits.ts';
import { checkLimits } from './translate/create/check-limits.ts';
import { resourceHostShape } from './translate/create/resource-fields.ts';
import { changesOf } from './translate/create/resources.ts';
import { restartPolicyOf } from './translate/create/restart-policy.ts';
import { containerEvent } from './translate/event-message.ts';
import { updateConflict } from './translate/update-conflict.ts';

const updateBody = z.looseObject({
  ...resourceHostShape,
  RestartPolicy: z.looseObject({ Name: z.string().nullish(), MaximumRetryCount: z.int().nullish() }).nullish(),
});

/** POST /containers/{id}/update: limits, in force at once where it runs, and restart policy. */
export async function updateContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const body = await jsonBody(request, updateBody);
  const record = requireContainer(context, parameter(request, 'id'));
  const { limits, warnings } = checkLimits(body, hostLimits(context), 'update');
  const named = Boolean(limits.RestartPolicy?.Name);
  const restart = named ? { restart: restartPolicyOf({ RestartPolicy: limits.RestartPolicy }) } : {};
  const cannot = `Cannot update container ${record.id}`;
  const conflict = updateConflict(record.config, limits, restart.restart);
  if (conflict !== undefined) throw new BerthError('conflict', 'docker.update-conflict', `${cannot}: ${conflict}`);
  try {
    await context.engine.update(record.id, { resources: changesOf(limits), ...restart });
  } catch (error) {
    if (!isBerthError(error)) throw error;
    const text =
      error.code === 'container.removing' ? 'container is marked for removal and cannot be "update"' : error.message;
    throw new BerthError('internal', 'docker.update-failed', `${cannot}: ${text}`, { cause: error });
  }
  context.events.tell(containerEvent(record, 'update'));
  return json({ Warnings: warnings.length === 0 ? null : warnings });
}
