import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerRecord } from '../container/engine.ts';
import { json, type Answer } from './answer.ts';
import { flag, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { emptySample, statsDocument, type StatsSample } from './translate/stats-document.ts';

const INTERVAL_MS = 1000;

/** GET /containers/{id}/stats: once, or each second while somebody listens. */
export async function containerStats(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const host = context.view().facts;
  if (!flag(request, 'stream', true)) {
    const before = flag(request, 'one-shot') ? undefined : sample(context, record);
    if (before !== undefined && record.state === 'running')
      await delay(INTERVAL_MS, undefined, { signal: request.signal });
    return json(statsDocument(record, sample(context, record), before, host));
  }
  return {
    kind: 'stream',
    contentType: 'application/json',
    async write(output) {
      let before: StatsSample | undefined;
      while (context.engine.find(record.id) !== undefined && !output.signal.aborted) {
        const now = sample(context, record);
        await output.json(statsDocument(record, now, before, host));
        before = now;
        await delay(INTERVAL_MS, undefined, { signal: output.signal }).catch(() => {});
      }
    },
  };
}

/** What the kernel counts for a container now; zeros where it has ended or there is no controller. */
function sample(context: DockerApiContext, { id }: ContainerRecord): StatsSample {
  const record = context.engine.find(id);
  return record === undefined ? { ...emptySample, atMs: context.clock() } : context.stats.sample(record);
}
