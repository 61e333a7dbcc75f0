import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { BerthError } from '#shared/errors.ts';
import { launchError } from './launch-error.ts';
import type { ExecSession } from './launcher.ts';
import { decodeReport, encodeWireFrame, SHIM_ANSWER, SHIM_REQUEST, type WireFrame, WireFrameReader } from './wire.ts';

/** Longest piece of standard input in one message. */
const STDIN_CHUNK_BYTES = 64 * 1024;
/** What is read ahead of its consumer, for each stream. */
const READ_AHEAD_BYTES = 64 * 1024;

const empty = new Uint8Array();

/** How a session reaches its process beside its streams, so that a signal does not wait behind standard input. */
export interface SessionControl {
  /** The first argument of an exec, for its errors. */
  readonly command?: string | undefined;
  resize(pid: number, size: { columns: number; rows: number }): Promise<void>;
  signal(pid: number, signal: number): Promise<void>;
  kill(pid: number): Promise<void>;
}

/**
 * The client's end of an exec or an attach. Invariant: the socket is paused while either output stream is full, which in
 * the end stops the shim from reading this process's pipes; nothing is buffered beyond READ_AHEAD_BYTES and one message,
 * but for the rest of a container that has ended.
 */
export class ShimSession implements ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<number>;
  readonly started: Promise<void>;
  #pid = 0;
  #draining = false;
  readonly #socket: Socket;
  readonly #control: SessionControl;
  readonly #full = new Set<Readable>();
  readonly #frames = new WireFrameReader();
  readonly #settleStart = Promise.withResolvers<void>();
  readonly #settleExit = Promise.withResolvers<number>();

  /** Sends `request` and follows what comes back. */
  constructor(socket: Socket, control: SessionControl, name: string, request: Buffer) {
    this.#socket = socket;
    this.#control = control;
    this.started = this.#settleStart.promise;
    this.exit = this.#settleExit.promise;
    this.exit.catch(() => {}); // whoever awaits it still sees the rejection
    this.stdout = this.#readable();
    this.stderr = this.#readable();
    this.stdin = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done),
      final: (done) => {
        if (!socket.destroyed) socket.write(encodeWireFrame(SHIM_REQUEST.stdinEnd, 0, empty));
        done();
      },
    });
    socket.on('data', (chunk) => this.#receive(name, chunk));
    socket.on('error', () => {}); // close follows
    socket.on('close', () => this.#lost(name));
    socket.write(request);
  }

  get pid(): number {
    return this.#pid;
  }

  resize(size: { columns: number; rows: number }): Promise<void> {
    return this.#control.resize(this.#pid, size);
  }

  signal(signal: number): Promise<void> {
    return this.#control.signal(this.#pid, signal);
  }

  kill(): Promise<void> {
    return this.#control.kill(this.#pid);
  }

  /** From now on all that comes is taken, however slow its reader: a shim holds little, and ends when it is rid of it. */
  drain(): void {
    this.#draining = true;
    this.#socket.resume();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    this.stdin.destroy();
    return Promise.resolve();
  }

  #readable(): Readable {
    const stream: Readable = new Readable({
      highWaterMark: READ_AHEAD_BYTES,
      read: () => {
        this.#full.delete(stream);
        if (this.#full.size === 0) this.#socket.resume();
      },
    });
    return stream;
  }

  #write(chunk: Buffer, done: (error?: Error | null) => void): void {
    if (this.#socket.destroyed) return done(); // as writing to a process that reads no more
    for (let at = 0; at < chunk.byteLength; at += STDIN_CHUNK_BYTES) {
      const last = at + STDIN_CHUNK_BYTES >= chunk.byteLength;
      const frame = encodeWireFrame(SHIM_REQUEST.stdin, 0, chunk.subarray(at, at + STDIN_CHUNK_BYTES));
      this.#socket.write(frame, last ? () => done() : undefined);
    }
    if (chunk.byteLength === 0) done();
  }

  #receive(name: string, chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#handle(name, frame);
    } catch (error) {
      this.#settleStart.reject(error);
      this.#settleExit.reject(error);
      this.#socket.destroy();
    }
  }

  #handle(name: string, { kind, payload }: WireFrame): void {
    switch (kind) {
      case SHIM_ANSWER.started:
        this.#pid = payload.readUInt32LE(0);
        this.#settleStart.resolve();
        break;
      case SHIM_ANSWER.stdout:
        this.#deliver(this.stdout, payload);
        break;
      case SHIM_ANSWER.stderr:
        this.#deliver(this.stderr, payload);
        break;
      case SHIM_ANSWER.exit:
        this.#settleExit.resolve(payload.readUInt32LE(0));
        this.#end();
        break;
      case SHIM_ANSWER.failed:
        this.#settleStart.reject(launchError(name, decodeReport(payload), this.#control.command));
        break;
      default:
        throw new BerthError('internal', 'launcher.protocol', `${name}: the shim sent a message of kind ${kind}`);
    }
  }

  #deliver(stream: Readable, payload: Buffer): void {
    if (stream.destroyed || stream.push(payload) || this.#draining) return;
    this.#full.add(stream);
    this.#socket.pause();
  }

  #end(): void {
    for (const stream of [this.stdout, this.stderr]) if (!stream.readableEnded) stream.push(null);
    this.stdin.destroy();
    this.#socket.destroy();
  }

  /** After a regular end every promise is settled, and this changes nothing. */
  #lost(name: string): void {
    const error = new BerthError('unavailable', 'shim.session-lost', `${name}: the connection to the shim was closed`, {
      remedy: 'Look whether the container still runs; an attached client that reads too slowly is disconnected.',
    });
    this.#settleStart.reject(error);
    this.#settleExit.reject(error);
    this.#end();
  }
}
