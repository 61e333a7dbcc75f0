import { StringDecoder } from 'node:string_decoder';

/** Longest line that is kept waiting for its end; a longer one is printed in pieces. */
const MAX_LINE_CHARACTERS = 64 * 1024;

/** Turns chunks of text into whole formatted lines, so that several sources can share one output. */
export class LineFormat {
  readonly #format: (line: string) => string;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(format: (line: string) => string) {
    this.#format = format;
  }

  /** The lines that are complete with this chunk; empty when none is. */
  take(chunk: Uint8Array): string {
    const lines = (this.#rest + this.#decoder.write(Buffer.from(chunk))).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE_CHARACTERS) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines.map((line) => `${this.#format(line)}\n`).join('');
  }

  /** The last line, when it had no end. */
  finish(): string {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    return rest === '' ? '' : `${this.#format(rest)}\n`;
  }
}
