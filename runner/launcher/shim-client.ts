import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { BerthError } from '#shared/errors.ts';
import { encodeContainerOperations } from './encode.ts';
import { readExitReport } from './exit-report.ts';
import { launchError } from './launch-error.ts';
import type { ExecRequest, ExecSession, ExitReport, Shim } from './launcher.ts';
import type { ContainerOperation } from './operations.ts';
import { type SessionControl, ShimSession } from './shim-session.ts';
import { connectShim } from './shim-socket.ts';
import {
  EXEC_FLAG,
  decodeReport,
  encodeWireFrame,
  MAX_SHIM_REQUEST_BYTES,
  SHIM_ANSWER,
  SHIM_REQUEST,
  type WireFrame,
  WireFrameReader,
  WireWriter,
} from './wire.ts';

interface Pending {
  readonly operation: string;
  resolve(payload: Buffer): void;
  reject(error: unknown): void;
}

const SIGKILL = 9;
/** How often, and after how much longer a pause each time, a shim that listens but does not answer is asked again. */
const CONNECT_ATTEMPTS = 8;
const CONNECT_PAUSE_MS = 25;

/** An exec as the shim wants it: terminal, rows, columns, stdin, operations. */
export function encodeExec(request: ExecRequest): Buffer {
  const operations: ContainerOperation[] = [
    ...(request.terminal ? [{ kind: 'console', mount: false } satisfies ContainerOperation] : []),
    { kind: 'user', user: request.user, groups: request.additionalGroups ?? [] },
    { kind: 'cwd', path: request.cwd === '' ? '/' : request.cwd, create: false },
    { kind: 'exec', umask: 0o022, args: request.args, env: request.env },
  ];
  const bytes = new WireWriter()
    .flag(request.terminal)
    .u32(request.size?.rows ?? 0)
    .u32(request.size?.columns ?? 0)
    .u32((request.stdin ? EXEC_FLAG.stdin : 0) | (request.privileged === true ? EXEC_FLAG.privileged : 0))
    .bytes(encodeContainerOperations(operations))
    .finish();
  if (bytes.byteLength <= MAX_SHIM_REQUEST_BYTES) return bytes;
  throw new BerthError('too-large', 'launch.too-large', `exec: its ${bytes.byteLength} bytes are over the limit`, {
    remedy: `Arguments and environment together have at most ${MAX_SHIM_REQUEST_BYTES} bytes.`,
  });
}

type ShimControl = Pick<Shim, 'resize' | 'signal'>;

/** Attached sessions of a client; each leaves when it has ended. */
class OpenSessions {
  readonly #sessions = new Set<ShimSession>();

  add(session: ShimSession): void {
    this.#sessions.add(session);
    const leave = (): void => void this.#sessions.delete(session);
    session.exit.then(leave, leave);
  }

  /** The container has ended: what the shim still holds for them is taken over, so that it can end, however slow their readers. */
  drain(): void {
    for (const session of this.#sessions) session.drain();
  }
}

function attachControl(shim: () => ShimControl | undefined): SessionControl {
  return {
    resize: async (_pid, size) => shim()?.resize(size),
    signal: async (_pid, signal) => shim()?.signal(signal),
    kill: async () => shim()?.signal(SIGKILL),
  };
}

/** Attaches sessions whose control connection comes later; fewer when the container's shim takes no more. */
async function openEarly(
  stateDirectory: string,
  count: number,
): Promise<{ sessions: readonly ShimSession[]; client: ShimControl | undefined }> {
  const sessions: ShimSession[] = [];
  const early: { sessions: readonly ShimSession[]; client: ShimControl | undefined } = { sessions, client: undefined };
  for (let n = 0; n < count; n += 1) {
    const socket = await connectShim(stateDirectory);
    if (socket === undefined) break;
    const request = encodeWireFrame(SHIM_REQUEST.attach, 1, new Uint8Array());
    const session = new ShimSession(
      socket,
      attachControl(() => early.client),
      'attach',
      request,
    );
    sessions.push(session);
    await session.started;
  }
  return early;
}

/** A control connection to a shim. `onLost` runs when the shim has died without a report, before `exit` rejects. */
export class ShimClient implements Shim {
  readonly exit: Promise<ExitReport>;
  attached: readonly ExecSession[] = [];
  readonly #stateDirectory: string;
  readonly #socket: Socket | undefined;
  readonly #onLost: () => Promise<void>;
  readonly #frames = new WireFrameReader();
  readonly #pending = new Map<number, Pending>();
  readonly #settleExit = Promise.withResolvers<ExitReport>();
  readonly #open = new OpenSessions();
  #pid: number;
  #greeted = false;
  #nextId = 1;

  private constructor(stateDirectory: string, socket: Socket | undefined, pid: number, onLost: () => Promise<void>) {
    this.#stateDirectory = stateDirectory;
    this.#socket = socket;
    this.#pid = pid;
    this.#onLost = onLost;
    this.exit = this.#settleExit.promise;
    this.exit.catch(() => {}); // whoever awaits it still sees the rejection
    socket?.on('data', (chunk) => this.#receive(chunk));
    socket?.on('error', () => {}); // close follows
    socket?.on('close', () => void this.#closed());
  }

  /**
   * The shim in a state directory, undefined when none listens there. One that listens and hangs up has no place for us
   * or is about to end; it must not be taken for dead, because what a dead one left is removed.
   *
   * @throws BerthError `shim.busy`
   */
  static async connect(
    stateDirectory: string,
    onLost: () => Promise<void>,
    attachments = 0,
  ): Promise<ShimClient | undefined> {
    // Before the hello: until then the shim keeps a new container's output.
    const early = await openEarly(stateDirectory, attachments);
    for (let attempt = 1; attempt <= CONNECT_ATTEMPTS; attempt += 1) {
      const socket = await connectShim(stateDirectory);
      if (socket === undefined) return undefined;
      const client = new ShimClient(stateDirectory, socket, 0, onLost);
      try {
        const info = await client.#request('connect', SHIM_REQUEST.hello);
        client.#pid = info.readUInt32LE(0);
        client.#greeted = true;
        early.client = client;
        client.attached = early.sessions;
        for (const session of early.sessions) client.#open.add(session);
        return client;
      } catch {
        await delay(CONNECT_PAUSE_MS * attempt);
      }
    }
    throw new BerthError('unavailable', 'shim.busy', `connect: the shim in ${stateDirectory} takes no connection`, {
      remedy: 'Close sessions of that container (exec, attach), then try again.',
    });
  }

  /** A container that has ended before anybody could connect to its shim. */
  static ended(stateDirectory: string, pid: number, report: ExitReport): ShimClient {
    const client = new ShimClient(stateDirectory, undefined, pid, () => Promise.resolve());
    client.#settleExit.resolve(report);
    return client;
  }

  get pid(): number {
    return this.#pid;
  }

  async signal(signal: number): Promise<void> {
    await this.#request('signal', SHIM_REQUEST.signal, signal);
  }

  async stop(signal: number, timeoutMs: number): Promise<void> {
    await this.#request('stop', SHIM_REQUEST.stop, signal, Math.min(Math.max(0, Math.round(timeoutMs)), 0x7fff_ffff));
  }

  async resize(size: { columns: number; rows: number }): Promise<void> {
    await this.#request('resize', SHIM_REQUEST.resize, size.rows, size.columns);
  }

  async exec(request: ExecRequest): Promise<ExecSession> {
    const control: SessionControl = {
      command: request.args[0],
      resize: async (pid, size) => {
        await this.#request('resize exec', SHIM_REQUEST.execResize, pid, size.rows, size.columns);
      },
      signal: async (pid, signal) => {
        await this.#request('signal exec', SHIM_REQUEST.execSignal, pid, signal);
      },
      kill: async (pid) => {
        await this.#request('kill exec', SHIM_REQUEST.execKill, pid);
      },
    };
    return this.#session('exec', control, SHIM_REQUEST.exec, encodeExec(request));
  }

  async attach(): Promise<ExecSession> {
    const control = attachControl(() => this);
    const session = await this.#session('attach', control, SHIM_REQUEST.attach, Buffer.alloc(0));
    this.#open.add(session);
    return session;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.removeAllListeners('close');
    this.#socket?.destroy();
    this.#rejectPending();
    return Promise.resolve();
  }

  async #session(name: string, control: SessionControl, kind: number, payload: Buffer): Promise<ShimSession> {
    const socket = this.#socket === undefined ? undefined : await connectShim(this.#stateDirectory);
    if (socket === undefined || socket.destroyed) throw this.#gone(name);
    const session = new ShimSession(socket, control, name, encodeWireFrame(kind, 1, payload));
    await session.started;
    return session;
  }

  #request(operation: string, kind: number, ...numbers: number[]): Promise<Buffer> {
    const payload = new WireWriter();
    for (const number of numbers) payload.u32(number);
    return this.#requestBytes(operation, kind, payload.finish());
  }

  #requestBytes(operation: string, kind: number, payload: Buffer): Promise<Buffer> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return Promise.reject(this.#gone(operation));
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    this.#pending.set(id, { operation, resolve, reject });
    socket.write(encodeWireFrame(kind, id, payload));
    return promise;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#handle(frame);
    } catch (error) {
      this.#socket?.destroy(error instanceof Error ? error : undefined);
    }
  }

  #handle({ kind, id, payload }: WireFrame): void {
    if (kind === SHIM_ANSWER.exit) {
      this.#open.drain();
      this.#settleExit.resolve({
        exitCode: payload.readUInt32LE(0),
        oomKilled: payload.readUInt32LE(4) === 1,
        finishedAtMs: Number(payload.readBigUInt64LE(8)),
      });
      return;
    }
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (kind === SHIM_ANSWER.failed) pending?.reject(launchError(pending.operation, decodeReport(payload)));
    else pending?.resolve(payload);
  }

  /** The shim ends after it has told everybody; a report on disk counts as told. */
  async #closed(): Promise<void> {
    this.#rejectPending();
    try {
      const report = await readExitReport(this.#stateDirectory);
      if (report !== undefined) return this.#settleExit.resolve(report);
      if (this.#greeted) await this.#onLost();
    } catch (error) {
      return this.#settleExit.reject(error);
    }
    this.#settleExit.reject(
      new BerthError('internal', 'shim.lost', `wait: the shim in ${this.#stateDirectory} died before its container`, {
        remedy: 'The container was killed with it. Start it again.',
      }),
    );
  }

  #rejectPending(): void {
    for (const pending of this.#pending.values()) pending.reject(this.#gone(pending.operation));
    this.#pending.clear();
  }

  #gone(operation: string): BerthError {
    return new BerthError('conflict', 'shim.gone', `${operation}: the container has ended`);
  }
}
