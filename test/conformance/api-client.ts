import { z } from 'zod';
import type { HostFacts, HostImage } from '#shared/model/host.ts';
import { fromProblem, problem, type Problem } from '#shared/problem.ts';

/** A control plane with an empty database, wherever it runs. */
export interface ApiTarget extends AsyncDisposable {
  fetch(request: Request): Promise<Response>;
  readonly bootstrapSecret: string;
  /** The key with which the suite's hosts enrol, when `connectHost` must prove it: 32 bytes in base64url. */
  readonly hostPublicKey?: string;
  /** What its control channel does when a host of this id, enrolled over the API, connects with these images. */
  connectHost(hostId: string, facts: HostFacts, images: readonly HostImage[]): Promise<void>;
}

export interface Call {
  readonly method?: string;
  readonly token?: string | undefined;
  readonly body?: unknown;
}

/** Requests to a target, as the holder of its first admin token. */
export class Client {
  readonly #target: ApiTarget;
  token: string | undefined;

  constructor(target: ApiTarget) {
    this.#target = target;
  }

  send(path: string, call: Call = {}): Promise<Response> {
    const token = 'token' in call ? call.token : this.token;
    const headers = new Headers(token === undefined ? {} : { authorization: `Bearer ${token}` });
    if (call.body !== undefined) headers.set('content-type', 'application/json');
    const body = call.body === undefined ? null : typeof call.body === 'string' ? call.body : JSON.stringify(call.body);
    return this.#target.fetch(new Request(`http://berth.test${path}`, { method: call.method ?? 'GET', headers, body }));
  }

  /** The answer of a request that must succeed. */
  async ok<Schema extends z.ZodType>(schema: Schema, path: string, call: Call = {}): Promise<z.infer<Schema>> {
    const response = await this.send(path, call);
    if (!response.ok) throw fromProblem(problem.parse(await response.json()));
    return schema.parse(await response.json());
  }

  /** The problem that a request must be answered with. */
  async problem(path: string, call: Call = {}): Promise<Problem> {
    const response = await this.send(path, call);
    const type = response.headers.get('content-type');
    if (type !== 'application/problem+json') throw new Error(`${path}: ${response.status} of type ${type}`);
    return problem.extend({ status: z.literal(response.status) }).parse(await response.json());
  }

  /** An apply, to be sent in either way. */
  apply(stack: string, text: string, more: object = {}) {
    return { path: `/v1/stacks/${stack}`, call: { method: 'PUT', body: { compose: text, ...more } } satisfies Call };
  }
}
