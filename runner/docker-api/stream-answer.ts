import type { Readable } from 'node:stream';
import type { Output } from './output.ts';

/** Sends a stream of bytes as an answer; a client that goes ends the stream, as its end or failure ends the answer. */
export function streamOf(bytes: Readable): (output: Output) => Promise<void> {
  return async (output) => {
    const stop = (): void => void bytes.destroy();
    output.signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const chunk of bytes as AsyncIterable<Buffer>) await output.write(chunk);
    } finally {
      output.signal.removeEventListener('abort', stop);
      bytes.destroy();
    }
  };
}
