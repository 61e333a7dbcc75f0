import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';

/** One call of an API on a unix socket; its answer. Throws on a status of 400 or over. */
export async function callSocket(socketPath: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const outgoing = request({ socketPath, method, path, headers: { 'content-type': 'application/json' } });
  outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const told = await json(answer);
  if ((answer.statusCode ?? 500) >= 400)
    throw new Error(`${method} ${path}: ${answer.statusCode} ${JSON.stringify(told)}`);
  return told;
}
