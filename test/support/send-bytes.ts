import { connect } from 'node:net';

/**
 * Sends bytes as they are; resolves with all that came back when the connection is over.
 *
 * @param options.halfClose the client's side is closed after the last byte
 */
export function sendBytes(
  socketPath: string,
  bytes: Buffer,
  options: { readonly halfClose: boolean; readonly timeoutMs: number },
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const parts: Buffer[] = [];
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  socket.setTimeout(options.timeoutMs, () => {
    socket.destroy();
    reject(new Error(`no answer within ${options.timeoutMs} ms`));
  });
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('error', () => undefined); // it was cut off; what came before is the answer
  socket.on('end', () => socket.end());
  socket.on('close', () => resolve(Buffer.concat(parts)));
  socket.on('connect', () => {
    if (options.halfClose) socket.end(bytes);
    else socket.write(bytes);
  });
  return promise;
}

/** The status of an answer; undefined when there was none. */
export function statusOf(answer: Buffer): number | undefined {
  const match = /^HTTP\/1\.1 (\d{3}) /.exec(answer.subarray(0, 20).toString('latin1'));
  return match === null ? undefined : Number(match[1]);
}
