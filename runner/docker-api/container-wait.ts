import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import type { Answer } from './answer.ts';
import { option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';

const conditions = ['not-running', 'next-exit', 'removed'] as const;
type Condition = (typeof conditions)[number];

/** The exit code of a container that was removed while it ran. */
const killedExitCode = 137;

/**
 * POST /containers/{id}/wait. The watch begins before the head of the answer goes out: a client starts the container
 * when it has that.
 */
export function waitContainer(context: DockerApiContext, request: ApiRequest): Answer {
  const record = requireContainer(context, parameter(request, 'id'));
  const condition = conditionOf(option(request, 'condition'));
  const exitCode = exitOf(context, record, condition, request.signal);
  exitCode.catch(() => {}); // awaited below; the client may have gone before
  return {
    kind: 'stream',
    contentType: 'application/json',
    write: async (output) => output.json({ StatusCode: await exitCode }),
  };
}

function conditionOf(text: string | undefined): Condition {
  if (text === undefined) return 'not-running';
  const condition = conditions.find((one) => one === text);
  if (condition !== undefined) return condition;
  throw new BerthError('invalid', 'docker.condition-invalid', `invalid condition: "${text.slice(0, 40)}"`);
}

async function exitOf(
  { engine }: DockerApiContext,
  record: ContainerRecord,
  condition: Condition,
  signal: AbortSignal,
): Promise<number> {
  const runs = ({ state }: ContainerRecord): boolean => state === 'running' || state === 'starting';
  let last = record;
  if (condition === 'not-running' && !runs(record) && record.state !== 'restarting') return record.exitCode ?? 0;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  using _ = engine.onChange((id, changed) => {
    if (id !== record.id) return;
    if (changed === undefined) return resolve(last.exitCode ?? (last.startedAtMs === undefined ? 0 : killedExitCode));
    const ended = runs(last) && (changed.state === 'exited' || changed.state === 'restarting');
    last = { ...changed, exitCode: changed.exitCode ?? (changed.state === 'removing' ? last.exitCode : undefined) };
    if (ended && condition === 'next-exit') resolve(changed.exitCode ?? 0);
    // Created: its start has failed.
    if ((changed.state === 'exited' || changed.state === 'created') && condition === 'not-running')
      resolve(changed.exitCode ?? 0);
  });
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
