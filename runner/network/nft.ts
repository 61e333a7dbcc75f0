import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { BerthError } from '#shared/errors.ts';
import { startedProcess } from '../os/started-process.ts';

/** Longest error text that is kept of nft, in characters. */
const MAX_ERROR_CHARACTERS = 8192;

/** How long one transaction may take before the process is given up, in milliseconds. */
const APPLY_TIMEOUT_MS = 20_000;

interface Pending {
  readonly sentinel: string;
  readonly script: string;
  resolve(): void;
  reject(error: BerthError): void;
}

/**
 * A resident `nft -i`: a transaction costs it about 1 ms, where a process each costs 10 to 50. It performs each line of
 * its input as one transaction, and says nothing when that went well; so each is followed by a query for a table that
 * does not exist, whose error marks the end. Errors of nft and that mark come in order by the one stream (stderr).
 *
 * Invariants: one transaction at a time; a process that died or hung is replaced at the next one; nothing is assumed of
 * a transaction that was under way then (its caller is told, and applies the complete set again).
 */
export class NftSession implements AsyncDisposable {
  readonly #command: readonly [string, ...string[]];
  #child: ChildProcessWithoutNullStreams | undefined;
  #errors = '';
  #counter = 0;
  #pending: Pending | undefined;
  #tail: Promise<void> = Promise.resolve();

  /** `command` is argv; tests put `ip netns exec NAME` before it. */
  constructor(command: readonly [string, ...string[]] = ['nft']) {
    this.#command = command;
  }

  /**
   * Performs one line of nft's language as one transaction.
   *
   * @throws BerthError `network.nft-failed` with nft's own text; nothing was changed then
   */
  apply(script: string): Promise<void> {
    if (script.includes('\n')) {
      throw new BerthError('internal', 'network.nft-failed', 'network: an nft transaction must be one line');
    }
    const result = this.#tail.then(() => this.#applyNow(script));
    this.#tail = result.then(ignore, ignore);
    return result;
  }

  /** Resolves when the transactions asked for so far have ended, well or not. */
  idle(): Promise<void> {
    return this.#tail;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail;
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), APPLY_TIMEOUT_MS);
    await ended;
    clearTimeout(timer);
  }

  #applyNow(script: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = (this.#child ??= this.#start());
      this.#counter += 1;
      const sentinel = `berth-mark-${this.#counter}`;
      const timer = setTimeout(() => {
        this.#fail(child, `no answer within ${APPLY_TIMEOUT_MS} ms`);
        child.kill('SIGKILL');
      }, APPLY_TIMEOUT_MS);
      this.#errors = '';
      this.#pending = {
        sentinel,
        script,
        resolve: () => (clearTimeout(timer), resolve()),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
      child.stdin.write(`${script}\nlist table ip ${sentinel}\n`);
    });
  }

  #start(): ChildProcessWithoutNullStreams {
    const [file, ...args] = this.#command;
    const child = startedProcess(
      spawn(file, [...args, '-i'], {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C', HOME: '/nonexistent' },
      }),
    );
    child.stdout.resume(); // prompts and echoes
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => this.#onErrorText(child, text));
    child.stdin.on('error', ignore); // a dead process is told by `close`
    child.once('error', (cause) => this.#fail(child, cause.message));
    child.once('close', (code, signal) => this.#fail(child, `the nft process ended (${signal ?? code ?? 'unknown'})`));
    return child;
  }

  #onErrorText(child: ChildProcessWithoutNullStreams, text: string): void {
    if (child !== this.#child) return;
    this.#errors = (this.#errors + text).slice(-2 * MAX_ERROR_CHARACTERS);
    const pending = this.#pending;
    // The mark's error is two lines and one of carets below the name.
    const mark = pending === undefined ? -1 : this.#errors.search(new RegExp(`${pending.sentinel}\\n\\s*\\^+\\n`));
    if (pending === undefined || mark === -1) return;
    this.#pending = undefined;
    const said = this.#errors.slice(0, this.#errors.lastIndexOf('Error:', mark)).trim();
    if (said === '') pending.resolve();
    else pending.reject(nftFailed(said.split('\n').at(0) ?? said));
  }

  #fail(child: ChildProcessWithoutNullStreams, reason: string): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#pending?.reject(nftFailed(reason));
    this.#pending = undefined;
  }
}

function nftFailed(reason: string): BerthError {
  return new BerthError('unavailable', 'network.nft-failed', `network: apply nftables rules: ${reason}`, {
    remedy: 'Is nftables installed, and does the kernel have nf_tables and nf_nat? See: nft list ruleset.',
  });
}

function ignore(): void {}
