import { once } from 'node:events';
import { WebSocket } from 'ws';
import { applyIncrement, assignmentDigest, type Assignment, type AssignmentVersion } from '#shared/model/assignment.ts';
import { PING, PONG, toHost, type ToHost } from '#shared/protocol/control.ts';
import { parseFrame } from '#shared/protocol/parse.ts';

const DEADLINE_MS = 60_000;

type Message<Kind extends ToHost['kind']> = ToHost & { kind: Kind };

/** The host's end of a control channel: what arrives is kept, in order, until a test takes it. */
export class HostChannel {
  /** How and why it ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  /** Heartbeats that were answered. */
  pongs = 0;
  readonly #socket: WebSocket;
  readonly #arrived: ToHost[] = [];
  #wake: () => void = () => undefined;
  #heartbeats: NodeJS.Timeout | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        clearInterval(this.#heartbeats);
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
    socket.on('error', () => undefined); // 'close' follows
    socket.on('message', (data: Buffer) => {
      const text = data.toString('utf8');
      if (text === PONG) this.pongs += 1;
      else this.#arrived.push(parseFrame(toHost, text));
      this.#wake();
    });
  }

  static async dial(url: string, hostId: string): Promise<HostChannel> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/hosts/${hostId}/channel`, {
      perMessageDeflate: false,
    });
    const channel = new HostChannel(socket);
    await once(socket, 'open');
    return channel;
  }

  /** One text frame as it is, or a message as JSON. */
  send(message: object | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: true });
  }

  startHeartbeats(everyMs: number): void {
    this.send(PING);
    this.#heartbeats = setInterval(() => this.send(PING), everyMs);
  }

  stopHeartbeats(): void {
    clearInterval(this.#heartbeats);
  }

  /** Cuts the connection without a closing handshake. */
  terminate(): void {
    clearInterval(this.#heartbeats);
    this.#socket.terminate();
  }

  /** Takes what arrived until a message of this kind. */
  async next<Kind extends ToHost['kind']>(kind: Kind, withinMs = DEADLINE_MS): Promise<Message<Kind>> {
    for (;;) {
      const message = await this.#take(withinMs, kind);
      if (message.kind === kind) return message as Message<Kind>;
    }
  }

  /** The next assignment or increment, applied to `base` as a runner does; checks the digests that chain them. */
  async nextAssignment(
    base: Assignment,
  ): Promise<{ version: AssignmentVersion; assignment: Assignment; kind: string }> {
    for (;;) {
      const message = await this.#take(DEADLINE_MS, 'assignment or increment');
      if (message.kind !== 'assignment' && message.kind !== 'increment') continue;
      if (message.kind === 'increment' && message.increment.base !== (await assignmentDigest(base))) {
        throw new Error('the increment is based on something else');
      }
      const assignment = message.kind === 'assignment' ? message.assignment : applyIncrement(base, message.increment);
      const digest = await assignmentDigest(assignment);
      if (digest !== message.version.digest) throw new Error(`${message.kind}: its digest is not its content's`);
      return { version: message.version, assignment, kind: message.kind };
    }
  }

  /** What has arrived and was not taken. */
  get waiting(): readonly ToHost[] {
    return this.#arrived;
  }

  async #take(withinMs: number, what: string): Promise<ToHost> {
    const deadline = AbortSignal.timeout(withinMs);
    for (;;) {
      const message = this.#arrived.shift();
      if (message !== undefined) return message;
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error(`closed while waiting for ${what}`);
      if (deadline.aborted) throw new Error(`no ${what} within ${withinMs} ms`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}
