import { isBerthError } from '#shared/errors.ts';
import type { ContainerRecord } from '../container/engine.ts';
import type { Answer } from './answer.ts';
import { flag, parameter, type ApiRequest } from './api-request.ts';
import { writeLogs } from './container-logs.ts';
import { refusePaused } from './container-pause.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import { bridge } from './session-bridge.ts';
import { streamType } from './stream-type.ts';
import { containerEvent } from './translate/event-message.ts';
import { stdFrame } from './translate/stdcopy.ts';

/** POST /containers/{id}/attach. Of a container that does not run, its next run is waited for. */
export function attachContainer(context: DockerApiContext, request: ApiRequest): Answer {
  const record = requireContainer(context, parameter(request, 'id'));
  refusePaused(record, 'attach', parameter(request, 'id'));
  const { terminal } = record.config;
  const streams = { stdout: flag(request, 'stdout'), stderr: flag(request, 'stderr') };
  const stdin = flag(request, 'stdin') && record.config.stdin;
  return {
    kind: 'hijack',
    contentType: streamType(request, terminal),
    async serve(connection) {
      const { output } = connection;
      // First of all: a client starts the container as soon as it has the head of the answer.
      const attached = flag(request, 'stream')
        ? context.engine.attach(record.id, { signal: output.signal })
        : undefined;
      attached?.catch(() => {}); // awaited below
      context.events.tell(containerEvent(record, 'attach'));
      if (flag(request, 'logs')) await writeLogs(context, record, output, { ...streams, follow: false });
      const session = await attached?.catch(() => undefined); // a start that failed is told where it was asked for
      if (session === undefined) return;
      await using _ = session;
      const options = { ...streams, terminal, stdin, closeStdin: closesStdin(record) };
      await bridge(session, connection, options).catch(async (error: unknown) => {
        if (!isBerthError(error) || error.code !== 'shim.session-lost') throw error;
        const bytes = new TextEncoder().encode(`${cutOff}\r\n`);
        await output.write(terminal ? bytes : stdFrame('stderr', bytes));
      });
    },
  };
}

/** The container does not wait for those who look on. */
const cutOff =
  'berth: this client read too slowly and was detached; the rest of the output is in the log of the container';

function closesStdin({ config }: ContainerRecord): boolean {
  return config.docker?.config['StdinOnce'] === true && !config.terminal;
}
