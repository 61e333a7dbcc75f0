import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { EngineMethods } from './engine-host.ts';

type Answer = { n: number; result: unknown } | { n: number; code: string; message: string };

/** An engine in its own process and network namespace, called over pipes; a test may kill it at any time. */
export class RemoteEngine implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  readonly #exit: Promise<unknown>;
  #count = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.#exit = once(child, 'exit').then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the engine ended'));
      this.#waiting.clear();
    });
  }

  /**
   * Starts it; it recovers its data root before `ready` resolves. nsenter becomes the engine, so that there is one
   * process to kill (and `ip netns exec` would hide the host's cgroups behind a new /sys).
   */
  static spawn(namespace: string, root: string): { engine: RemoteEngine; ready: Promise<void> } {
    const program = new URL('engine-host.ts', import.meta.url).pathname;
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, program, root], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.on('error', () => undefined); // it was killed: its exit tells
    const engine = new RemoteEngine(child);
    const ready = Promise.withResolvers<void>();
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') ready.resolve();
      else engine.#take(JSON.parse(line) as Answer);
    });
    void engine.#exit.then(() => ready.reject(new Error('the engine ended before it was ready')));
    return { engine, ready: ready.promise };
  }

  static async start(namespace: string, root: string): Promise<RemoteEngine> {
    const { engine, ready } = RemoteEngine.spawn(namespace, root);
    await ready;
    return engine;
  }

  call<Method extends keyof EngineMethods>(
    method: Method,
    ...args: Parameters<EngineMethods[Method]>
  ): ReturnType<EngineMethods[Method]> {
    this.#count += 1;
    const n = this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<never>();
    this.#waiting.set(n, { resolve, reject });
    this.#child.stdin?.write(`${JSON.stringify({ n, method, args })}\n`);
    return promise as ReturnType<EngineMethods[Method]>;
  }

  /** kill -9 of the engine's process alone. */
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
    if ('code' in answer) waiting?.reject(Object.assign(new Error(answer.message), { code: answer.code }));
    else waiting?.resolve(answer.result as never);
  }
}
