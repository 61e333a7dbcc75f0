import { once } from 'node:events';
import type { ReadStream, WriteStream } from 'node:tty';

type Input = NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>;
type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>;

export interface TerminalStreams {
  readonly input: Input;
  readonly output: Output;
  readonly error: Output;
}

type Colour = 'red' | 'green' | 'yellow' | 'dim';
const colourCodes = { red: 31, green: 32, yellow: 33, dim: 2 } as const satisfies Record<Colour, number>;

/** Where the CLI reads and writes. Colour and progress appear only on a terminal. */
export class Terminal {
  readonly input: Input;
  readonly output: Output;
  readonly error: Output;
  readonly #colour: boolean;
  #progressShown = false;

  constructor(streams: TerminalStreams, environment: Readonly<Record<string, string | undefined>>) {
    this.input = streams.input;
    this.output = streams.output;
    this.error = streams.error;
    // NO_COLOR: https://no-color.org, "when present and not an empty string".
    const noColour = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
    this.#colour = this.output.isTTY === true && !noColour;
  }

  /** Writes a result; resolves when the reader has room for more. */
  async write(chunk: string | Uint8Array): Promise<void> {
    this.clearProgress();
    await writeAll(this.output, chunk);
  }

  /** Writes what is not a result (a next step, a warning) to standard error. */
  async note(line: string): Promise<void> {
    this.clearProgress();
    await writeAll(this.error, `${line}\n`);
  }

  async json(value: unknown): Promise<void> {
    await this.write(`${JSON.stringify(value, undefined, this.output.isTTY === true ? 2 : undefined)}\n`);
  }

  paint(colour: Colour, text: string): string {
    return this.#colour ? `\u001B[${colourCodes[colour]}m${text}\u001B[0m` : text;
  }

  /** Replaces the progress line; nothing happens unless standard error is a terminal. */
  progress(line: string): void {
    if (this.error.isTTY !== true) return;
    this.error.write(`\r\u001B[2K${line.slice(0, Math.max(1, (this.error.columns ?? 80) - 1))}`);
    this.#progressShown = true;
  }

  clearProgress(): void {
    if (!this.#progressShown) return;
    this.error.write('\r\u001B[2K');
    this.#progressShown = false;
  }
}

const draining = new WeakMap<NodeJS.WritableStream, Promise<unknown>>();

/** Writes and waits for room, so that a slow reader slows the sender and nothing piles up in memory. */
export async function writeAll(stream: NodeJS.WritableStream, chunk: string | Uint8Array): Promise<void> {
  if (stream.write(chunk)) return;
  let drained = draining.get(stream);
  if (drained === undefined) {
    // One listener, however many writers wait.
    drained = once(stream, 'drain').finally(() => draining.delete(stream));
    draining.set(stream, drained);
  }
  await drained;
}
