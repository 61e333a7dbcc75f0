import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecSession } from '../launcher/launcher.ts';
import type { HijackedConnection } from './answer.ts';
import type { Output } from './output.ts';
import { DetachFilter } from './detach-keys.ts';
import { stdFrame } from './translate/stdcopy.ts';

/**
 * After the process has ended, output may still be held open by what it left in the background: when none has come for
 * so long, in milliseconds, it is over (moby does the same).
 */
const OUTPUT_GRACE_MS = 2000;

export interface BridgeOptions {
  /** With a terminal the bytes go as they are, else each piece in a frame that tells its stream. */
  readonly terminal: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** The end of the client's input is the end of the process's. */
  readonly closeStdin: boolean;
  /** What a client types to detach itself; none: nothing does. */
  readonly keys?: readonly number[];
}

/** Why the two are joined no more. */
export type BridgeEnd = 'ended' | 'gone' | 'detached';

/**
 * Joins a process's stdio with a client until the process has ended or the client has gone. One piece at a time moves in
 * each direction, so a client that does not read stalls its own session.
 */
export async function bridge(
  session: ExecSession,
  connection: HijackedConnection,
  options: BridgeOptions,
): Promise<BridgeEnd> {
  const { output } = connection;
  const detached = Promise.withResolvers<'detached'>();
  const input = filtered(connection.input, options, () => detached.resolve('detached'));
  const activity = { atMs: performance.now() };
  const pumps = Promise.all([
    pump(session.stdout, options.stdout ? output : undefined, (bytes) => framed('stdout', bytes, options), activity),
    pump(session.stderr, options.stderr ? output : undefined, (bytes) => framed('stderr', bytes, options), activity),
  ]);
  const over = Promise.all([pumps, session.exit.then(() => quiet(activity)).catch(() => undefined)]);
  const gone = Promise.withResolvers<'gone'>();
  const leave = (): void => gone.resolve('gone');
  output.signal.addEventListener('abort', leave, { once: true });
  if (options.stdin) feed(input, session.stdin, options.closeStdin);
  else input.resume(); // so that its end, and with it the client's leaving, is seen
  try {
    const ended = Promise.race([pumps, over, session.exit.then(() => quiet(activity))]);
    return await Promise.race([ended.then(() => 'ended' as const), gone.promise, detached.promise]);
  } catch (error) {
    if (!output.signal.aborted) throw error;
    return 'gone';
  } finally {
    output.signal.removeEventListener('abort', leave);
    pumps.catch(() => {});
    over.catch(() => {});
  }
}

function filtered(input: Readable, { keys = [], stdin }: BridgeOptions, detached: () => void): Readable {
  if (!stdin || keys.length === 0) return input;
  const filter = new DetachFilter(keys, detached);
  input.once('error', () => filter.end());
  return input.pipe(filter);
}

function framed(stream: 'stdout' | 'stderr', bytes: Uint8Array, { terminal }: BridgeOptions): Uint8Array {
  return terminal ? bytes : stdFrame(stream, bytes);
}

/** What nobody wants is read and dropped, so that the process does not stall on it. */
async function pump(
  from: Readable,
  output: Output | undefined,
  framed: (bytes: Uint8Array) => Uint8Array,
  activity: { atMs: number },
): Promise<void> {
  for await (const chunk of from) {
    activity.atMs = Number.POSITIVE_INFINITY; // it waits for its reader
    await output?.write(framed(chunk as Uint8Array));
    activity.atMs = performance.now();
  }
}

/** Resolves when no output has come for OUTPUT_GRACE_MS. */
async function quiet(activity: { atMs: number }): Promise<void> {
  if (activity.atMs !== Number.POSITIVE_INFINITY) activity.atMs = performance.now();
  for (;;) {
    const quietMs = performance.now() - activity.atMs;
    if (quietMs >= OUTPUT_GRACE_MS) return;
    await delay(Math.min(OUTPUT_GRACE_MS, Math.max(OUTPUT_GRACE_MS - quietMs, 1)), undefined, { ref: false });
  }
}

function feed(input: Readable, stdin: Writable, close: boolean): void {
  stdin.on('error', () => {}); // the process reads no more: what follows is dropped
  input.on('data', (chunk: Buffer) => {
    if (!stdin.writable || stdin.write(chunk)) return;
    input.pause();
    stdin.once('drain', () => input.resume());
    stdin.once('close', () => input.resume());
  });
  input.once('end', () => {
    if (close) stdin.end();
  });
  input.resume();
}
