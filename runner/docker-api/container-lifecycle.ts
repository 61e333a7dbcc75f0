import { BerthError, isBerthError } from '#shared/errors.ts';
import { noContent, json, type Answer } from './answer.ts';
import { flag, integer, option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { checkName, nameConflict, notRunning, requireContainer } from './docker-errors.ts';
import { containerEvent } from './translate/event-message.ts';
import { signalNumber } from '../container/signals.ts';

/** dockerd's limit: up to so many bytes hold no HostConfig. */
const LONGEST_EMPTY_BODY = 7;

const notModified: Answer = { kind: 'empty', status: 304 };

/** What stands for "as long as it takes" (a timeout below zero), in milliseconds: a day. */
const PATIENT_MS = 86_400_000;

/** POST /containers/{id}/start */
export async function startContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const { id, state, paused } = requireContainer(context, parameter(request, 'id'));
  await refuseBody(request);
  if (option(request, 'checkpoint') !== undefined) {
    throw new BerthError('invalid', 'docker.checkpoint', 'checkpoint is only supported in experimental mode');
  }
  if (paused) {
    const text = 'cannot start a paused container, try unpause instead';
    throw new BerthError('conflict', 'docker.paused', text);
  }
  if (state === 'running') return notModified;
  if (state === 'removing') {
    const text = 'container is marked for removal and cannot be started';
    throw new BerthError('conflict', 'docker.removing', text);
  }
  await context.engine.start(id);
  return noContent;
}

/** Clients before API 1.24 sent a HostConfig; `{}` and `null` are nothing. */
async function refuseBody(request: ApiRequest): Promise<void> {
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += (chunk as Buffer).byteLength;
    if (bytes <= LONGEST_EMPTY_BODY) continue;
    const text = 'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24';
    throw new BerthError('invalid', 'docker.start-body', text);
  }
}

/** POST /containers/{id}/stop */
export async function stopContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  if (!isActive(record.state)) return notModified;
  const options = stopOptions(request);
  context.events.tell(
    containerEvent(record, 'kill', { signal: `${signalNumber(options.signal ?? record.config.stopSignal)}` }),
  );
  await context.engine.stop(record.id, options);
  context.events.tell(containerEvent(record, 'stop'));
  return noContent;
}

/** POST /containers/{id}/restart */
export async function restartContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  await context.engine.restart(record.id, stopOptions(request));
  context.events.tell(containerEvent(record, 'restart'));
  return noContent;
}

/** POST /containers/{id}/kill */
export async function killContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const signal = option(request, 'signal') ?? 'SIGKILL';
  const number = signalNumber(signal);
  try {
    await context.engine.kill(record.id, signal);
  } catch (error) {
    if (isBerthError(error) && ['container.not-running', 'shim.gone'].includes(error.code)) {
      const { message } = notRunning(record);
      throw new BerthError(
        'conflict',
        'docker.not-running',
        `cannot kill container: ${parameter(request, 'id')}: ${message}`,
      );
    }
    throw error;
  }
  context.events.tell(containerEvent(record, 'kill', { signal: `${number}` }));
  return noContent;
}

/** POST /containers/{id}/rename */
export async function renameContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  const name = (request.query.get('name') ?? '').replace(/^\//, '');
  if (name === '') throw new BerthError('invalid', 'docker.name-invalid', 'Neither old nor new names may be empty');
  checkNewName(name);
  if (name === record.config.name) {
    throw new BerthError('invalid', 'docker.name-same', 'Renaming a container with the same name as its current name');
  }
  const holder = context.engine.find(name);
  if (holder?.config.name === name) throw notRenamed(nameConflict(name, holder.id));
  await context.engine.rename(record.id, name);
  return noContent;
}

function checkNewName(name: string): void {
  try {
    checkName(name);
  } catch (error) {
    throw isBerthError(error) ? notRenamed(error) : error;
  }
}

function notRenamed(cause: BerthError): BerthError {
  const why = cause.message.replace('container name (', 'container name (/');
  return new BerthError(cause.kind, cause.code, `Error when allocating new name: ${why}`, { cause });
}

/** DELETE /containers/{id} */
export async function removeContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const reference = parameter(request, 'id');
  const record = requireContainer(context, reference);
  if (flag(request, 'link')) {
    const text = 'Conflict, cannot remove the default link name of the container';
    throw new BerthError('internal', 'docker.links', text);
  }
  if (record.state === 'removing') {
    const text = `removal of container ${reference.slice(0, 160)} is already in progress`;
    throw new BerthError('conflict', 'docker.removing', text);
  }
  if (!flag(request, 'force') && isActive(record.state)) {
    const state = record.paused ? 'paused' : record.state === 'restarting' ? 'restarting' : 'running';
    const first = record.paused ? 'Unpause and then stop' : 'Stop';
    throw new BerthError(
      'conflict',
      'docker.running',
      `You cannot remove a ${state} container ${record.id}. ${first} the container before attempting removal or force remove`,
    );
  }
  await context.engine.remove(record.id, { force: flag(request, 'force'), volumes: flag(request, 'v') });
  return noContent;
}

/** POST /containers/{id}/resize: the size of its terminal. */
export async function resizeContainer(context: DockerApiContext, request: ApiRequest): Promise<Answer> {
  const record = requireContainer(context, parameter(request, 'id'));
  if (record.state !== 'running') throw notRunning(record);
  const size = terminalSize(request);
  await context.engine.resize(record.id, size);
  const told = { height: `${size.rows}`, width: `${size.columns}` };
  context.events.tell(containerEvent(record, 'resize', told));
  return { kind: 'text', body: '' };
}

/** @throws BerthError `docker.number-invalid` */
export function terminalSize(request: ApiRequest): { columns: number; rows: number } {
  const most = 65_535;
  const [columns = 0, rows = 0] = [integer(request, 'w'), integer(request, 'h')];
  if (columns >= 0 && rows >= 0 && columns <= most && rows <= most) return { columns, rows };
  throw new BerthError('invalid', 'docker.number-invalid', `invalid terminal size ${columns}x${rows}`);
}

/** POST /containers/prune: those that are not active. */
export async function pruneContainers(
  context: DockerApiContext,
  chosen: (labels: Readonly<Record<string, string>>, createdAtMs: number) => boolean,
): Promise<Answer> {
  const removed: string[] = [];
  for (const { id, state, config, createdAtMs } of context.engine.list()) {
    if (isActive(state) || state === 'removing' || !chosen(config.labels, createdAtMs)) continue;
    try {
      await context.engine.remove(id);
      removed.push(id);
    } catch (error) {
      if (!isBerthError(error) || !['container.running', 'container.unknown'].includes(error.code)) throw error;
    }
  }
  const attributes = { reclaimed: '0' };
  context.events.tell({ type: 'container', action: 'prune', id: '', attributes });
  return json({ ContainersDeleted: removed.length === 0 ? null : removed, SpaceReclaimed: 0 });
}

function isActive(state: string): boolean {
  return state === 'running' || state === 'starting' || state === 'restarting';
}

function stopOptions(request: ApiRequest): { signal?: string; timeoutMs?: number } {
  const signal = option(request, 'signal');
  const seconds = integer(request, 't');
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(seconds === undefined ? {} : { timeoutMs: seconds < 0 ? PATIENT_MS : seconds * 1000 }),
  };
}
