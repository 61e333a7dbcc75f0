import { readdir, readFile } from 'node:fs/promises';
import { request, type Agent } from 'node:http';
import { connect } from 'node:net';
import { waitUntil } from '../support/stage/wait-until.ts';

/** What a process holds now. */
export interface Holdings {
  readonly descriptors: number;
  readonly memoryBytes: number;
}

export async function holdingsOf(pid: number): Promise<Holdings> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const memoryBytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  return { descriptors: (await readdir(`/proc/${pid}/fd`)).length, memoryBytes };
}

/** Resolves when a process has no more descriptors than before: connections end a moment after their clients have seen it. */
export function descriptorsAreBack(pid: number, before: number): Promise<unknown> {
  const isBack = async (): Promise<true> => {
    const { descriptors } = await holdingsOf(pid);
    if (descriptors <= before + 2) return true;
    throw new Error(`${descriptors} descriptors are open, ${before} were before`);
  };
  const options = { deadlineMs: 120_000, signal: AbortSignal.timeout(150_000) };
  return waitUntil('the descriptors to be closed', isBack, options);
}

/**
 * A well-formed request with a JSON body or none; status and parsed answer (its text when that is no JSON).
 *
 * @param agent keeps connections; without one each request has its own
 */
export function call(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  agent: Agent | false = false,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: unknown }>();
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const sent = request({ socketPath, method, path, headers, agent }, (response) => {
    const parts: Buffer[] = [];
    response.on('data', (part: Buffer) => parts.push(part));
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(parts)) }));
  });
  sent.on('error', reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

function parsed(bytes: Buffer): unknown {
  const text = bytes.toString();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

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
