import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { StreamHeader } from '#shared/relay/header.ts';
import type { RelayMux } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { ContainerRecord, Engine } from '../container/engine.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';

/**
 * After the process has ended, output may still be held open by what it left in the background: when none has come for
 * so long, in milliseconds, and none waits to be read, the exec is over (moby does the same).
 */
const OUTPUT_GRACE_MS = 2000;

type ExecHeader = Extract<StreamHeader, { type: 'exec' }>;

export interface ExecService {
  readonly stream: RelayStream;
  readonly header: ExecHeader;
  readonly mux: Pick<RelayMux, 'open'>;
  readonly engine: Engine;
  readonly container: ContainerRecord;
  /** Settled once the process runs, or not. */
  readonly session: PromiseWithResolvers<ExecSession>;
}

/**
 * Runs a command in a container with its stdio on a relay. Bytes move one chunk at a time in each direction, so a reader
 * that stalls fills the process's pipe and stops it there. When the other end is gone the process gets SIGHUP, as from a
 * terminal that is closed, and its stdio is closed.
 */
export async function serveExec({ stream, header, mux, engine, container, session: told }: ExecService): Promise<void> {
  const gone = Promise.withResolvers<'gone'>();
  stream.signal.addEventListener('abort', () => gone.resolve('gone'));
  const starting = engine.exec(container.id, execRequest(header, container));
  starting.then(told.resolve, told.reject);
  await using session = await starting;
  const errors = header.tty ? undefined : mux.open({ type: 'stderr', of: stream.id });
  const output = new Output();
  const pumps = Promise.all([output.pump(session.stdout, stream), output.pump(session.stderr, errors)]);
  pumps.catch(() => {}); // they fail when the session is closed on them; a failure before that is seen below
  const input = header.stdin ? feed(stream, session.stdin) : undefined;
  const outcome = await Promise.race([session.exit, gone.promise]);
  if (outcome === 'gone') {
    await session.signal(constants.signals.SIGHUP).catch(() => {}); // it may have ended by now
    return;
  }
  await Promise.race([pumps, output.idle(), gone.promise]);
  await errors?.end();
  await stream.end({ exitCode: outcome });
  await input?.stop();
}

function execRequest(header: ExecHeader, { config }: ContainerRecord): ExecRequest {
  const added = Object.entries(header.environment).map(([name, value]) => `${name}=${value}`);
  const names = new Set(Object.keys(header.environment));
  const kept = config.environment.filter((entry) => !names.has(entry.split('=', 1)[0] ?? ''));
  return {
    args: header.command,
    env: added.length === 0 ? [] : [...kept, ...added],
    cwd: header.workingDirectory ?? '',
    user: header.user ?? '',
    terminal: header.tty,
    ...(header.size === undefined ? {} : { size: header.size }),
    stdin: header.stdin,
  };
}

/** The output of one process on its way to the relay. */
class Output {
  #lastAtMs = performance.now();
  #writing = 0;

  /** Resolves at end of file. What nobody wants to read is read and dropped, so that the process does not stall on it. */
  async pump(from: Readable, to: RelayStream | undefined): Promise<void> {
    let wanted = to;
    for await (const chunk of from) {
      this.#lastAtMs = performance.now();
      this.#writing += 1;
      await wanted?.write(chunk as Buffer).catch(() => {
        wanted = undefined;
      });
      this.#writing -= 1;
      this.#lastAtMs = performance.now();
    }
  }

  /** Resolves when nothing has come for OUTPUT_GRACE_MS. */
  async idle(): Promise<void> {
    this.#lastAtMs = performance.now();
    for (;;) {
      const quietMs = this.#writing > 0 ? 0 : performance.now() - this.#lastAtMs;
      if (quietMs >= OUTPUT_GRACE_MS) return;
      await delay(OUTPUT_GRACE_MS - quietMs, undefined, { ref: false });
    }
  }
}

/** The relay's bytes to the process's stdin, and its end. A process that reads no more does not end the exec. */
function feed(stream: RelayStream, stdin: Writable): { stop(): Promise<void> } {
  const reader = stream.readable.getReader();
  stdin.on('error', () => {}); // EPIPE: what follows is dropped
  const run = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (stdin.writable) await new Promise<void>((resolve) => stdin.write(value, () => resolve()));
    }
    stdin.end();
  };
  run().catch(() => stdin.destroy()); // the stream was reset: serveExec sees it too
  return { stop: () => reader.cancel() };
}
