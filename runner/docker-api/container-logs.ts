import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord, LogEntry } from '../container/engine.ts';
import { logDriver, logUnreadable } from '../container/log-policy.ts';
import type { Answer } from './answer.ts';
import { flag, option, parameter, type ApiRequest } from './api-request.ts';
import type { DockerApiContext } from './context.ts';
import { requireContainer } from './docker-errors.ts';
import type { Output } from './output.ts';
import { streamType } from './stream-type.ts';
import { queryTimeMs } from './translate/api-time.ts';
import { stdFrame } from './translate/stdcopy.ts';

export interface LogView {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps?: boolean;
  /** What the log's options add to each entry, before it. */
  readonly details?: boolean;
  readonly tail?: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Without frames that tell the stream, also of a container without a terminal. */
  readonly raw?: boolean;
}

/** GET /containers/{id}/logs */
export function containerLogs(context: DockerApiContext, request: ApiRequest): Answer {
  const record = requireContainer(context, parameter(request, 'id'));
  const streams = { stdout: flag(request, 'stdout'), stderr: flag(request, 'stderr') };
  if (!streams.stdout && !streams.stderr) {
    const text = 'Bad parameters: you must choose at least one stream';
    throw new BerthError('invalid', 'docker.no-stream', text);
  }
  const tail = tailOf(option(request, 'tail'));
  const sinceMs = queryTimeMs('since', option(request, 'since'));
  const untilMs = queryTimeMs('until', option(request, 'until'));
  const view: LogView = {
    ...streams,
    follow: flag(request, 'follow'),
    timestamps: flag(request, 'timestamps'),
    details: flag(request, 'details'),
    ...(tail === undefined ? {} : { tail }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
  };
  // Here, so that a log that cannot be read is told by the status.
  if (logDriver(record.config) === 'none') throw logUnreadable();
  return {
    kind: 'stream',
    contentType: streamType(request, record.config.terminal),
    write: (output) => writeLogs(context, record, output, view),
  };
}

/** dockerd takes what is no number for "all". */
function tailOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Sends a container's log until there is no more, or the reader has gone. */
export async function writeLogs(
  { engine, clock }: DockerApiContext,
  record: ContainerRecord,
  output: Output,
  view: LogView,
): Promise<void> {
  const { untilMs } = view;
  const timer = new AbortController();
  const timeout =
    view.follow && untilMs !== undefined
      ? setTimeout(() => timer.abort(), Math.min(Math.max(0, untilMs - clock()), 2 ** 31 - 1))
      : undefined;
  try {
    const entries = engine.logs(record.id, {
      follow: view.follow,
      signal: AbortSignal.any([output.signal, timer.signal]),
      ...(view.tail === undefined ? {} : { tail: view.tail }),
      ...(view.sinceMs === undefined ? {} : { sinceMs: view.sinceMs }),
    });
    for await (const entry of entries) {
      if (untilMs !== undefined && Date.parse(entry.time) > untilMs) return;
      if (entry.stream === 'stdout' ? view.stdout : view.stderr) {
        await output.write(logBytes(entry, view, view.raw ?? record.config.terminal));
      }
    }
  } finally {
    clearTimeout(timeout);
  }
}

function logBytes(entry: LogEntry, { timestamps, details }: LogView, raw: boolean): Uint8Array {
  const text = details === true ? `${detailsText(entry)} ${entry.text}` : entry.text;
  const bytes = new TextEncoder().encode(timestamps === true ? `${entry.time} ${text}` : text);
  return raw ? bytes : stdFrame(entry.stream, bytes);
}

/** As a query string, sorted, as dockerd writes it. */
function detailsText({ attributes = {} }: LogEntry): string {
  const entries = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, value]) => `${queryEscape(name)}=${queryEscape(value)}`).join(',');
}

function queryEscape(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1).replaceAll('*', '%2A').replaceAll('%7E', '~');
}
