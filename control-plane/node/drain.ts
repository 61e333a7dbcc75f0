import type { IncomingMessage, ServerResponse } from 'node:http';

/** Most bytes of a refused body that are read away before the connection is cut instead. */
const MAX_DRAIN_BYTES = 64 * 1024 * 1024;

/**
 * Reads away what is left of a request's body once it was answered. A request that is refused early is still being sent:
 * without this its sender would see a reset in place of the answer.
 */
export function drainWhenAnswered(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete || request.destroyed) return;
    let bytes = 0;
    request.removeAllListeners('data'); // the body's web stream, which would hold what it is given
    request.removeAllListeners('readable');
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      if (bytes > MAX_DRAIN_BYTES) request.destroy();
    });
    request.resume();
  });
}
