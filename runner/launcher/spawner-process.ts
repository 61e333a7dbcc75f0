import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { BerthError, errorText } from '#shared/errors.ts';
import { startedProcess } from '../os/started-process.ts';
import { decodeReport, encodeWireFrame, REPORT, type WireFrame, WireFrameReader, type WireReport } from './wire.ts';

/** An answer of the spawner. */
export interface SpawnerAnswer {
  readonly ok: boolean;
  readonly report: WireReport;
  /** What was refused that a container can do without. */
  readonly warnings: readonly WireReport[];
}

interface Pending {
  readonly warnings: WireReport[];
  resolve(answer: SpawnerAnswer): void;
  reject(error: unknown): void;
}

/** Descriptor of the connection in the spawner. */
const CONNECTION_FD = 3;
const READY_ID = 0;

/** One spawner process and the connection to it. When it dies, requests under way are rejected `launcher.spawner-lost`. */
export class SpawnerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #frames = new WireFrameReader();
  readonly #pending = new Map<number, Pending>();
  #nextId = READY_ID + 1;

  private constructor(child: ChildProcess, socket: Socket) {
    this.#child = child;
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {}); // close follows
    socket.on('close', () => this.#lost());
    child.on('error', () => socket.destroy());
  }

  /**
   * Starts the program and waits until it is ready, and in `cgroup` when one is given.
   *
   * @throws BerthError `launcher.spawner-lost`
   */
  static async start(binary: string, cgroup?: string): Promise<SpawnerProcess> {
    // A session of its own: an interrupt from the terminal is for the runner, which then ends the spawner in order.
    const child = startedProcess(
      spawn(binary, ['spawner'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'], env: {}, detached: true }),
    );
    const socket = child.stdio[CONNECTION_FD];
    if (!(socket instanceof Socket))
      throw new BerthError('internal', 'launcher.spawner-lost', 'start spawner: no pipe');
    const spawner = new SpawnerProcess(child, socket);
    const ready = spawner.#expect(READY_ID);
    child.on('error', (error) => {
      spawner.#fail(
        new BerthError('internal', 'launcher.spawner-lost', `start ${binary}: ${errorText(error)}`, {
          cause: error,
          remedy: 'Build the launcher with "make".',
        }),
      );
    });
    const { ok, report } = await ready;
    if (ok && cgroup !== undefined) await spawner.#moveTo(cgroup);
    if (ok) return spawner;
    throw new BerthError('internal', 'launcher.spawner-lost', `start spawner: ${report.operation} ${report.object}`, {
      remedy: 'The runner needs root and a kernel with namespaces.',
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return !this.#socket.destroyed;
  }

  request(kind: number, payload: Buffer): Promise<SpawnerAnswer> {
    if (!this.alive) return Promise.reject(lostError());
    const id = this.#nextId++;
    const answer = this.#expect(id);
    this.#socket.write(encodeWireFrame(kind, id, payload));
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const runs = this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
    const exit = runs ? once(this.#child, 'exit') : undefined;
    this.#socket.destroy();
    await exit;
  }

  /** Before the first request, so that every shim is born there: to move one costs milliseconds, to be born nothing. */
  async #moveTo(cgroup: string): Promise<void> {
    try {
      await mkdir(cgroup, { recursive: true });
      await writeFile(join(cgroup, 'cgroup.procs'), String(this.pid));
    } catch (cause) {
      await this[Symbol.asyncDispose]();
      const text = `start spawner: move it to the cgroup ${cgroup}: ${errorText(cause)}`;
      throw new BerthError('internal', 'launcher.spawner-lost', text, { cause, remedy: 'The runner needs root.' });
    }
  }

  #expect(id: number): Promise<SpawnerAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<SpawnerAnswer>();
    this.#pending.set(id, { warnings: [], resolve, reject });
    return promise;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) this.#handle(frame);
    } catch (error) {
      this.#fail(error);
      this.#socket.destroy();
    }
  }

  #handle({ kind, id, payload }: WireFrame): void {
    const pending = this.#pending.get(id);
    const report = decodeReport(payload);
    if (kind === REPORT.warning) {
      pending?.warnings.push(report);
      return;
    }
    this.#pending.delete(id);
    pending?.resolve({ ok: kind !== REPORT.failed, report, warnings: pending.warnings });
  }

  #lost(): void {
    this.#fail(lostError());
  }

  #fail(error: unknown): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

function lostError(): BerthError {
  return new BerthError('unavailable', 'launcher.spawner-lost', 'launch: the spawner died before it answered', {
    remedy: 'It is started again with the next request: retry.',
  });
}
