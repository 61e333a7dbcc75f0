import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

const STOP_TIMEOUT_MS = 60_000;

/** A long-running program of a stage, in a process group of its own, its output in a file. */
export class Daemon implements AsyncDisposable {
  readonly name: string;
  readonly logPath: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(name: string, argv: readonly [string, ...string[]], logPath: string, environment: NodeJS.ProcessEnv) {
    this.name = name;
    this.logPath = logPath;
    const [program, ...args] = argv;
    const log = openSync(logPath, 'a', 0o600);
    // Detached: an interrupt from the terminal is for the stage's owner alone, which then stops its daemons in order.
    this.#child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, env: environment });
    closeSync(log);
    this.#ended = once(this.#child, 'exit').catch(() => {}); // a spawn that failed has ended too; `assertAlive` tells
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** @throws Error when it has ended */
  assertAlive(): void {
    if (this.isAlive) return;
    throw new Error(`${this.name} has ended (${this.#child.signalCode ?? this.#child.exitCode ?? 'not started'})`);
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    if (this.isAlive) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Asks it to end, and makes it after a while. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isAlive) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  /** The end of what it has said. */
  async tail(lines: number): Promise<string> {
    const text = await readFile(this.logPath, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-lines).join('\n');
  }
}
