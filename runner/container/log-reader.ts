import { decompressed } from './log-compression.ts';
import { openFollowing, type LogLocation, type OpenLogFile } from './log-files.ts';

const newline = 0x0a;
const chunkBytes = 64 * 1024;

/** Far above what the shim writes (16 KiB of output a line, each byte at most six in JSON): longer is damage. */
const longestLineBytes = 1024 * 1024;

/** The file that is read. */
interface ReadFile extends OpenLogFile {
  /** What is left of it, where it is compressed. */
  readonly pieces: AsyncGenerator<Buffer> | undefined;
  /** Where the next byte is, in what it holds. */
  offset: number;
}

/**
 * Reads the lines of a rotating log forwards. It holds one open file, so that a rotation loses nothing; memory is one
 * chunk and one line.
 */
export class LogReader implements AsyncDisposable {
  readonly #location: LogLocation;
  readonly #chunk = Buffer.alloc(chunkBytes);
  #file: ReadFile | undefined;
  #partial = '';
  #skipping = false;
  #decoder = new TextDecoder();

  constructor(location: LogLocation) {
    this.#location = location;
  }

  /** Goes on at a byte of what this file holds; it is the reader's from now on. */
  async goTo(file: OpenLogFile, offset: number): Promise<void> {
    await this.#close();
    const pieces = file.compressed ? decompressed(file.handle) : undefined;
    this.#file = { ...file, pieces, offset: pieces === undefined ? offset : 0 };
    this.#partial = '';
    this.#skipping = false;
    this.#decoder = new TextDecoder();
    if (pieces !== undefined && offset > 0) await this.#skipTo(offset);
  }

  /** The next complete lines, at most a chunk of them; none at the end of what is written now. */
  async next(): Promise<string[]> {
    for (;;) {
      const bytes = await this.#read();
      if (bytes.byteLength > 0) {
        const lines = this.#split(bytes);
        if (lines.length > 0) return lines;
      } else if (!(await this.#advance())) return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.pieces?.return(undefined);
    await file?.handle.close();
  }

  #rest: Buffer = Buffer.alloc(0);

  /** Of a compressed file: its pieces come in sizes of their own. */
  async #skipTo(offset: number): Promise<void> {
    while (this.#file !== undefined && this.#file.offset < offset) {
      const missing = offset - this.#file.offset;
      const bytes = await this.#read();
      if (bytes.byteLength === 0) return;
      if (bytes.byteLength <= missing) continue;
      this.#rest = Buffer.from(bytes.subarray(missing));
      this.#file.offset = offset;
    }
  }

  async #read(): Promise<Uint8Array> {
    const file = this.#file;
    if (file === undefined) return this.#chunk.subarray(0, 0);
    if (this.#rest.byteLength > 0) {
      const rest = this.#rest;
      this.#rest = Buffer.alloc(0);
      file.offset += rest.byteLength;
      return rest;
    }
    if (file.pieces !== undefined) {
      const piece = await file.pieces.next();
      const bytes = piece.done === true ? this.#chunk.subarray(0, 0) : piece.value;
      file.offset += bytes.byteLength;
      return bytes;
    }
    const { bytesRead } = await file.handle.read(this.#chunk, 0, chunkBytes, file.offset);
    file.offset += bytesRead;
    return this.#chunk.subarray(0, bytesRead);
  }

  /** On to the next younger file, when the one that is open has been rotated away and is read to its end. */
  async #advance(): Promise<boolean> {
    const open = this.#file;
    const following = await openFollowing(this.#location, open);
    if (following === undefined) return false;
    // The last write before the rotation may have come after our last read.
    if (open?.pieces === undefined && open !== undefined && (await open.handle.stat()).size > open.offset)
      await following.handle.close();
    else await this.goTo(following, 0);
    return true;
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
