import { Readable } from 'node:stream';
import { encodeLine } from '#shared/relay/lines.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { ImageStore } from '../image/store.ts';

/** Progress in bytes is told each time so many more have come. */
const PROGRESS_BYTES = 4 * 1024 * 1024;

/** Stores the archive that the other end sends and tells how far it is. A failed image leaves nothing behind. */
export async function serveImageLoad({ stream, images }: { stream: RelayStream; images: ImageStore }): Promise<void> {
  const progress = new Progress(stream);
  const reader = stream.readable.getReader();
  try {
    const loaded = await images.load(Readable.from(chunks(reader, progress), { objectMode: false }), {
      signal: stream.signal,
      onProgress: (message) => progress.tell(message),
    });
    while (!(await reader.read()).done); // padding after the archive's end: the sender must be able to finish
    await progress.settled();
    await stream.end({ images: loaded.map(({ id, references }) => ({ id, references })) });
  } catch (error) {
    if (!stream.signal.aborted) throw error; // else there is nobody to tell
  }
}

/** The reader's chunks. A store that gives them up early does not reset the stream: its error will. */
async function* chunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    progress.count(value.byteLength);
    yield value;
  }
}

/** Progress lines; of several that could not be sent yet only the newest is kept. */
class Progress {
  readonly #stream: RelayStream;
  #doneBytes = 0;
  #toldBytes = 0;
  #message = 'receiving';
  #waiting = false;
  #sending: Promise<void> | undefined;

  constructor(stream: RelayStream) {
    this.#stream = stream;
  }

  count(bytes: number): void {
    this.#doneBytes += bytes;
    if (this.#doneBytes - this.#toldBytes >= PROGRESS_BYTES) this.tell(this.#message);
  }

  tell(message: string): void {
    this.#message = message;
    this.#waiting = true;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  async settled(): Promise<void> {
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting) {
      this.#waiting = false;
      this.#toldBytes = this.#doneBytes;
      const line = encodeLine({ message: this.#message, doneBytes: this.#doneBytes });
      await this.#stream.write(line).catch(() => {}); // the stream's end is seen where it is read
    }
  }
}
