import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import { notRunning } from './ending.ts';
import type { EngineContext } from './engine-context.ts';
import { paused } from './pausing.ts';
import { processEnvironment } from './spec.ts';

/** One more process of a running container, with what its config says where the request says nothing. */
// oxlint-disable-next-line typescript/require-await -- async, so that a failure is a rejection
export async function execInContainer(context: EngineContext, id: string, request: ExecRequest): Promise<ExecSession> {
  const record = context.store.require(id);
  const entry = context.live.get(id);
  if (entry === undefined) throw notRunning(record);
  if (record.paused) throw paused(record);
  const { config } = record;
  return entry.shim.exec({
    ...request,
    env: processEnvironment({
      hostname: config.hostname,
      terminal: request.terminal,
      environment: [...config.environment, ...request.env],
    }),
    cwd: request.cwd || config.workingDirectory || '/',
    user: request.user || config.user,
    additionalGroups: config.additionalGroups,
  });
}
