import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
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
    const before = flag(request, 'one-shot') ? undefined : await sample(context, record);
    if (before !== undefined && record.state === 'running')
      await delay(INTERVAL_MS, undefined, { signal: request.signal });
    return json(statsDocument(record, await sample(context, record), before, host));
  }
  return {
    kind: 'stream',
    contentType: 'application/json',
    async write(output) {
      let before: StatsSample | undefined;
      while (context.engine.find(record.id) !== undefined && !output.signal.aborted) {
        const now = await sample(context, record);
        await output.json(statsDocument(record, now, before, host));
        before = now;
        await delay(INTERVAL_MS, undefined, { signal: output.signal }).catch(() => {});
      }
    },
  };
}

/** What the kernel counts for a container now; zeros where it has ended or there is no controller. */
async function sample(context: DockerApiContext, { id }: ContainerRecord): Promise<StatsSample> {
  const record = context.engine.find(id);
  const atMs = context.clock();
  if (record?.state !== 'running') return { ...emptySample, atMs };
  const directory = join(context.cgroupDirectory, id);
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const names = ['cpu.stat', 'memory.current', 'memory.max', 'memory.stat', 'pids.current', 'pids.max', 'io.stat'];
  const [cpu = '', memory = '', memoryMax = '', memoryStat = '', pids = '', pidsMax = '', io = ''] = await Promise.all(
    names.map((name) => read(join(directory, name))),
  );
  const procs = pids === '' ? await read(join(directory, 'cgroup.procs')) : '';
  const [system, network] = await Promise.all([read('/proc/stat'), read(`/proc/${record.pid}/net/dev`)]);
  const texts = { cpu, memory, memoryMax, memoryStat, pids: pids || `${procs.split('\n').length - 1}`, pidsMax, io };
  return { ...texts, system, network, atMs, running: true };
}
