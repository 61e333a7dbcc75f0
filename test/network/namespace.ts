import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { randomId } from '#shared/id.ts';

const run = promisify(execFile);

/** Runs `ip` with these arguments. */
export async function ip(...args: string[]): Promise<string> {
  return (await run('ip', args)).stdout;
}

/** A named network namespace with its loopback up, and the processes that a test started in it. */
export class NetworkNamespace implements AsyncDisposable {
  readonly name: string;
  readonly #children: ChildProcess[] = [];

  private constructor(name: string) {
    this.name = name;
  }

  static async create(): Promise<NetworkNamespace> {
    const namespace = new NetworkNamespace(`berth-test-${randomId(8)}`);
    await ip('netns', 'add', namespace.name);
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  ip(...args: string[]): Promise<string> {
    return ip('-n', this.name, ...args);
  }

  /** What a program prints that is run in here to its end. */
  async run(...argv: string[]): Promise<string> {
    return (await run('ip', ['netns', 'exec', this.name, ...argv])).stdout;
  }

  /** Runs one of this folder's programs to its end; answers its standard output. */
  program(file: string, ...args: string[]): Promise<string> {
    return this.run(process.execPath, new URL(file, import.meta.url).pathname, ...args);
  }

  /** Starts one of this folder's programs; resolves once it has printed its first line. */
  async start(file: string, ...args: string[]): Promise<ChildProcess> {
    const path = new URL(file, import.meta.url).pathname;
    const child = spawn('ip', ['netns', 'exec', this.name, process.execPath, path, ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#children.push(child);
    const lines = createInterface({ input: child.stdout });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${String(code)} before it was ready`);
    });
    await Promise.race([once(lines, 'line'), ended]);
    ended.catch(() => {});
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
    await ip('netns', 'del', this.name);
  }
}
