import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { HostMethods } from './host.ts';

type Answer = { n: number; result: unknown } | { n: number; message: string };

/** A reconciler's process in a network namespace, called over pipes; a test may kill it at any time. */
export class RemoteHost implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #count = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, 'exit').then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the host ended'));
      this.#waiting.clear();
    });
  }

  /** nsenter becomes the program, so that there is one process to kill. */
  static async start(namespace: string, root: string): Promise<RemoteHost> {
    const program = new URL('host.ts', import.meta.url).pathname;
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, program, root], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined); // it was killed: its exit tells
    const host = new RemoteHost(child);
    const ready = Promise.withResolvers<void>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') ready.resolve();
      else host.#take(JSON.parse(line) as Answer);
    });
    void host.#exit.then(() => ready.reject(new Error('the host ended before it was ready')));
    await ready.promise;
    return host;
  }

  call<Method extends keyof HostMethods>(
    method: Method,
    ...args: Parameters<HostMethods[Method]>
  ): ReturnType<HostMethods[Method]> {
    this.#count += 1;
    const n = this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<never>();
    this.#waiting.set(n, { resolve, reject });
    this.#child.stdin?.write(`${JSON.stringify({ n, method, args })}\n`);
    return promise as ReturnType<HostMethods[Method]>;
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
    if ('message' in answer) waiting?.reject(new Error(answer.message));
    else waiting?.resolve(answer.result as never);
  }
}
