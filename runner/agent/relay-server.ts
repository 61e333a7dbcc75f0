import { BerthError, errorText } from '#shared/errors.ts';
import type { RelayGrant, StreamHeader } from '#shared/relay/header.ts';
import type { RelayMux } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { ContainerRecord, Engine } from '../container/engine.ts';
import type { ImageStore } from '../image/store.ts';
import type { ExecSession } from '../launcher/launcher.ts';
import type { Log } from '../log.ts';
import { serveControl } from './serve-control.ts';
import { serveExec } from './serve-exec.ts';
import { serveImageLoad } from './serve-image-load.ts';
import { serveLogs } from './serve-logs.ts';

export interface RelayServerOptions {
  readonly grant: RelayGrant;
  readonly mux: Pick<RelayMux, 'open'>;
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly log: Log;
}

/** Serves the streams of one relay, as far as its grant goes. */
export class RelayServer {
  readonly #options: RelayServerOptions;
  readonly #serving = new Set<Promise<void>>();
  /** Exec sessions by the stream that asked for them, for their control streams. */
  readonly #sessions = new Map<number, Promise<ExecSession>>();

  constructor(options: RelayServerOptions) {
    this.#options = options;
  }

  /** @throws BerthError `relay.not-granted`, `relay.stream-unknown`: the stream is to be reset with it */
  accept(stream: RelayStream): void {
    const serving = this.#serve(stream)
      .catch((error: unknown) => stream.reset(this.#told(stream.header, error)))
      .finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  /** Resolves when everything that was served has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#serving);
  }

  #serve(stream: RelayStream): Promise<void> {
    const { header } = stream;
    const { grant, engine, images, mux } = this.#options;
    switch (header.type) {
      case 'exec': {
        if (grant.type !== 'exec' || grant.taskId !== header.taskId) throw notGranted(header, grant);
        const session = Promise.withResolvers<ExecSession>();
        session.promise.catch(() => {}); // the exec stream is told; a control stream awaits it too
        this.#sessions.set(stream.id, session.promise);
        return serveExec({
          stream,
          header,
          mux,
          engine,
          container: containerOf(engine, header.taskId),
          session,
        }).finally(() => this.#sessions.delete(stream.id));
      }
      case 'control': {
        const session = this.#sessions.get(header.of);
        if (session === undefined) throw unknownStream(header.of);
        return serveControl(stream, session);
      }
      case 'logs':
        if (grant.type !== 'logs' || grant.taskId !== header.taskId) throw notGranted(header, grant);
        return serveLogs({ stream, header, mux, engine, container: containerOf(engine, header.taskId) });
      case 'image-load':
        if (grant.type !== 'image-load') throw notGranted(header, grant);
        return serveImageLoad({ stream, images });
      case 'stderr':
        throw notGranted(header, grant);
      default:
        return header satisfies never;
    }
  }

  /** What the other end is told; a fault of ours is logged with its text, which may name our paths, and told without. */
  #told(header: StreamHeader, error: unknown): BerthError {
    if (error instanceof BerthError) return error;
    this.#options.log.error('serving a relay stream failed', { type: header.type, reason: errorText(error) });
    return new BerthError('internal', 'runner.internal', `The host failed to serve the ${header.type} stream`, {
      remedy: 'Read the log of the runner on that host.',
    });
  }
}

/** The container that was made for a task; the newest when the host made more than one. */
function containerOf(engine: Engine, taskId: string): ContainerRecord {
  const made = engine.list().filter((record) => record.config.task?.id === taskId && record.state !== 'removing');
  const newest = made.toSorted((a, b) => b.createdAtMs - a.createdAtMs)[0];
  if (newest !== undefined) return newest;
  throw new BerthError('not-found', 'task.no-container', `This host has no container of the task ${taskId}`, {
    remedy: 'See the state of the tasks: berth ps',
  });
}

function notGranted(header: StreamHeader, grant: RelayGrant): BerthError {
  const scope = grant.type === 'image-load' ? grant.type : `${grant.type} of task ${grant.taskId}`;
  const what = `This relay carries ${scope}; a ${header.type} stream is beyond it`;
  return new BerthError('forbidden', 'relay.not-granted', what, { remedy: 'Open a relay for it: POST /v1/relays' });
}

function unknownStream(of: number): BerthError {
  return new BerthError('not-found', 'relay.stream-unknown', `There is no exec on stream ${of} of this relay`);
}
