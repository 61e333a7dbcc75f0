import { BerthError, isBerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import { logDriver, logUnreadable } from '../container/log-policy.ts';
import type { Answer, HijackedConnection } from './answer.ts';
import { atLeast, flag, option, parameter, type ApiRequest } from './api-request.ts';
import { writeLogs } from './container-logs.ts';
import { refusePaused } from './container-pause.ts';
import type { DockerApiContext } from './context.ts';
import { detachKeys } from './detach-keys.ts';
import { requireContainer } from './docker-errors.ts';
import { bridge } from './session-bridge.ts';
import { streamType } from './stream-type.ts';
import { containerEvent } from './translate/event-message.ts';
import { stdFrame } from './translate/stdcopy.ts';

/** What a client wants of a container's stdio. */
interface AttachView {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** What comes from now on; without it, only what is in the log. */
  readonly stream: boolean;
  readonly logs: boolean;
  /** The bytes go as they are, without frames that tell their stream. */
  readonly raw: boolean;
  readonly keys: readonly number[];
}

/** POST /containers/{id}/attach. Of a container that does not run, its next run is waited for. */
export function attachContainer(context: DockerApiContext, request: ApiRequest): Answer {
  const record = attachable(context, request);
  const view = {
    stdin: flag(request, 'stdin'),
    stdout: flag(request, 'stdout'),
    stderr: flag(request, 'stderr'),
    ...viewOf(request, record),
    raw: record.config.terminal,
  };
  return {
    kind: 'hijack',
    contentType: streamType(request, record.config.terminal),
    serve: (connection) => serveAttach(context, record, view, connection),
  };
}

/** GET /containers/{id}/attach/ws: raw bytes in binary frames. Clients before API 1.42 get every stream. */
export function attachWebSocket(context: DockerApiContext, request: ApiRequest): Answer {
  const record = attachable(context, request);
  const wanted = (name: string): boolean => !atLeast(request, '1.42') || flag(request, name);
  const view = {
    stdin: wanted('stdin'),
    stdout: wanted('stdout'),
    stderr: wanted('stderr'),
    ...viewOf(request, record),
    raw: true,
  };
  return { kind: 'websocket', contentType: '', serve: (connection) => serveAttach(context, record, view, connection) };
}

function viewOf(request: ApiRequest, { config }: ContainerRecord): Pick<AttachView, 'stream' | 'logs' | 'keys'> {
  const logs = flag(request, 'logs');
  if (logs && logDriver(config) === 'none') throw logUnreadable();
  const keys = detachKeys(option(request, 'detachKeys') ?? '');
  return { stream: flag(request, 'stream'), logs, keys: config.terminal ? keys : [] };
}

/** @throws BerthError `docker.no-container`, `docker.restarting` */
function attachable(context: DockerApiContext, request: ApiRequest): ContainerRecord {
  const record = requireContainer(context, parameter(request, 'id'));
  refusePaused(record, 'attach', parameter(request, 'id'));
  if (record.state !== 'restarting') return record;
  const text = `container ${parameter(request, 'id').slice(0, 160)} is restarting, wait until the container is running`;
  throw new BerthError('conflict', 'docker.restarting', text);
}

async function serveAttach(
  context: DockerApiContext,
  record: ContainerRecord,
  view: AttachView,
  connection: HijackedConnection,
): Promise<void> {
  const { output } = connection;
  // First of all: a client starts the container as soon as it has the head of the answer.
  const attached = view.stream ? context.engine.attach(record.id, { signal: output.signal }) : undefined;
  attached?.catch(() => {}); // awaited below
  context.events.tell(containerEvent(record, 'attach'));
  if (view.logs) await writeLogs(context, record, output, { ...view, follow: false });
  const session = await attached?.catch(() => undefined); // a start that failed is told where it was asked for
  if (session === undefined) return;
  await using _ = session;
  const stdin = view.stdin && record.config.stdin;
  const options = { ...view, terminal: view.raw, stdin, closeStdin: closesStdin(record) };
  try {
    const end = await bridge(session, connection, options);
    if (end === 'detached') context.events.tell(containerEvent(record, 'detach'));
  } catch (error) {
    if (!isBerthError(error) || error.code !== 'shim.session-lost') throw error;
    const bytes = new TextEncoder().encode(`${cutOff}\r\n`);
    await output.write(view.raw ? bytes : stdFrame('stderr', bytes));
  }
}

/** A stop does not wait for those who look on. */
const cutOff =
  'berth: this client did not read while the container was being stopped, and was detached; the rest of the output is in its log';

function closesStdin({ config }: ContainerRecord): boolean {
  return config.docker?.config['StdinOnce'] === true && !config.terminal;
}
