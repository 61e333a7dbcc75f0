import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { CallTable } from './serve-calls.ts';

type Answer = { n: number; result: unknown } | { n: number; code: string; message: string };

/** A call that the program did not answer, because it had ended or was killed. */
export class ProgramEnded extends Error {}

/**
 * A program of the tests in a process and network namespace of its own, called over pipes (`serveCalls`); a test may kill it
 * at any time.
 */
export class RemoteProgram<Table extends CallTable<Table>> implements AsyncDisposable {
  readonly pid: number;
  /** Resolves when it has said that it is ready; rejects when it ended before. */
  readonly ready: Promise<void>;
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #ended: ProgramEnded | undefined;
  #count = 0;

  /**
   * Starts it. nsenter becomes the program, so that there is one process to kill (and `ip netns exec` would hide the
   * host's cgroups behind a new /sys).
   */
  constructor(namespace: string, program: URL, ...args: readonly string[]) {
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, program.pathname, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined); // it was killed: its exit tells
    this.#child = child;
    this.pid = child.pid ?? 0;
    const ready = Promise.withResolvers<void>();
    ready.promise.catch(() => undefined); // a test that killed it may not ask any more
    this.ready = ready.promise;
    this.#exit = once(child, 'exit').then(() => {
      const how = child.signalCode ?? child.exitCode;
      const ended = new ProgramEnded(`${program.pathname} ended (${how})`);
      this.#ended = ended;
      ready.reject(ended);
      for (const { reject } of this.#waiting.values()) reject(ended);
      this.#waiting.clear();
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') ready.resolve();
      else this.#take(JSON.parse(line) as Answer);
    });
  }

  /** @throws ProgramEnded, and an error with the `code` and message that it answered */
  call<Name extends keyof Table>(name: Name, ...args: Parameters<Table[Name]>): ReturnType<Table[Name]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended) as ReturnType<Table[Name]>;
    this.#count += 1;
    const n = this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<never>();
    this.#waiting.set(n, { resolve, reject });
    this.#child.stdin?.write(`${JSON.stringify({ n, method: name, args })}\n`);
    return promise as ReturnType<Table[Name]>;
  }

  /** kill -9 of this process alone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#exit;
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.n);
    this.#waiting.delete(answer.n);
    if ('message' in answer) waiting?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
    else waiting?.resolve(answer.result as never);
  }
}
