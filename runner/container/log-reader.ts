import type { FileHandle } from 'node:fs/promises';
import { logFiles, openLogFile, type LogFile } from './log-files.ts';

const newline = 0x0a;
const chunkBytes = 64 * 1024;

/** Far above what the shim writes (16 KiB of output a line, each byte at most six in JSON): longer is damage. */
const longestLineBytes = 1024 * 1024;

/**
 * Reads the lines of a rotating log forwards. It holds one open file, so that a rotation loses nothing; memory is one
 * chunk and one line.
 */
export class LogReader implements AsyncDisposable {
  readonly #directory: string;
  readonly #baseName: string;
  readonly #chunk = Buffer.alloc(chunkBytes);
  #handle: FileHandle | undefined;
  #inode = 0;
  #offset = 0;
  #partial = '';
  #skipping = false;
  #decoder = new TextDecoder();

  constructor(directory: string, baseName: string) {
    this.#directory = directory;
    this.#baseName = baseName;
  }

  /** Begins at a byte of a file. */
  async open(file: LogFile, offset: number): Promise<boolean> {
    const handle = await openLogFile(file);
    if (handle === undefined) return false;
    await this.#handle?.close();
    this.#handle = handle;
    this.#inode = file.inode;
    this.#offset = offset;
    this.#partial = '';
    this.#skipping = false;
    this.#decoder = new TextDecoder();
    return true;
  }

  /** The next complete lines, at most a chunk of them; none at the end of what is written now. */
  async next(): Promise<string[]> {
    for (;;) {
      const bytes = await this.#read();
      if (bytes > 0) {
        const lines = this.#split(this.#chunk.subarray(0, bytes));
        if (lines.length > 0) return lines;
      } else if (!(await this.#advance())) return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #read(): Promise<number> {
    if (this.#handle === undefined) return 0;
    const { bytesRead } = await this.#handle.read(this.#chunk, 0, chunkBytes, this.#offset);
    this.#offset += bytesRead;
    return bytesRead;
  }

  /** On to the next younger file, when the one that is open has been rotated away and is read to its end. */
  async #advance(): Promise<boolean> {
    const files = await logFiles(this.#directory, this.#baseName);
    const at = files.findIndex((file) => file.inode === this.#inode);
    // Not among them: it was deleted by rotation, and the oldest that is left follows it.
    const following = files[at + 1];
    if (following === undefined) return false;
    // The last write before the rotation may have come after our last read.
    if (this.#handle !== undefined && (await this.#handle.stat()).size > this.#offset) return true;
    return this.open(following, 0);
  }

  #split(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline, start); end >= 0; end = bytes.indexOf(newline, start)) {
      const text = this.#partial + this.#decoder.decode(bytes.subarray(start, end));
      if (!this.#skipping) lines.push(text);
      this.#partial = '';
      this.#skipping = false;
      start = end + 1;
    }
    this.#partial += this.#decoder.decode(bytes.subarray(start), { stream: true });
    if (this.#partial.length > longestLineBytes) {
      this.#partial = '';
      this.#skipping = true;
    }
    return lines;
  }
}
