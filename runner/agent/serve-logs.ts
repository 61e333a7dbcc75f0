import type { StreamHeader } from '#shared/relay/header.ts';
import type { RelayMux } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { ContainerRecord, Engine } from '../container/engine.ts';

type LogsHeader = Extract<StreamHeader, { type: 'logs' }>;

export interface LogsService {
  readonly stream: RelayStream;
  readonly header: LogsHeader;
  readonly mux: Pick<RelayMux, 'open'>;
  readonly engine: Engine;
  readonly container: ContainerRecord;
}

/** Sends a container's log, stdout and stderr each on its stream; ends when there is no more or the reader has gone. */
export async function serveLogs({ stream, header, mux, engine, container }: LogsService): Promise<void> {
  const errors = mux.open({ type: 'stderr', of: stream.id });
  const entries = engine.logs(container.id, {
    follow: header.follow,
    ...(header.tail === undefined ? {} : { tail: header.tail }),
    ...(header.sinceMs === undefined ? {} : { sinceMs: header.sinceMs }),
    signal: stream.signal,
  });
  const encoder = new TextEncoder();
  try {
    for await (const { stream: name, text, time } of entries) {
      const line = header.timestamps ? `${time} ${text}` : text;
      await (name === 'stdout' ? stream : errors).write(encoder.encode(line));
    }
  } catch (error) {
    if (!stream.signal.aborted) throw error;
  }
  if (stream.signal.aborted) return;
  await errors.end();
  await stream.end();
}
