import type { z } from 'zod';
import { eventList } from '#shared/api/events.ts';
import { createdJoinToken, hostList, imageList } from '#shared/api/hosts.ts';
import { createdRelay, type createRelayRequest } from '#shared/api/relays.ts';
import {
  type applyRequest,
  applyResponse,
  serviceList,
  stackDetail,
  stackList,
  taskList,
  type scaleRequest,
} from '#shared/api/stacks.ts';
import { createdToken, type createTokenRequest, tokenList } from '#shared/api/tokens.ts';
import { sendRequest, type ApiRequest, type ControlPlaneAddress } from './http.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What follows the newest events, `waitMs` long at most. */
export interface EventQuery {
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
  readonly waitMs?: number | undefined;
  readonly stack?: string | undefined;
}

/**
 * The control plane's HTTP API, typed by the schemas that the control plane itself uses. Every method throws the
 * BerthError that the control plane answered with, or one of `http.ts` when no answer came.
 */
export class Client {
  readonly address: ControlPlaneAddress;
  readonly #signal: AbortSignal;

  /** Every request ends when `signal` aborts. */
  constructor(address: ControlPlaneAddress, signal: AbortSignal) {
    this.address = address;
    this.#signal = signal;
  }

  stacks(): Promise<z.infer<typeof stackList>> {
    return this.#json(stackList, { method: 'GET', path: '/v1/stacks' });
  }

  stack(name: string): Promise<z.infer<typeof stackDetail>> {
    return this.#json(stackDetail, { method: 'GET', path: `/v1/stacks/${encodeURIComponent(name)}` });
  }

  apply(name: string, body: z.infer<typeof applyRequest>): Promise<z.infer<typeof applyResponse>> {
    return this.#json(applyResponse, { method: 'PUT', path: `/v1/stacks/${encodeURIComponent(name)}`, body });
  }

  async removeStack(name: string): Promise<void> {
    await this.#send({ method: 'DELETE', path: `/v1/stacks/${encodeURIComponent(name)}` });
  }

  services(query: { readonly stack?: string | undefined } = {}): Promise<z.infer<typeof serviceList>> {
    return this.#json(serviceList, { method: 'GET', path: `/v1/services${search(query)}` });
  }

  scale(stack: string, service: string, body: z.infer<typeof scaleRequest>): Promise<z.infer<typeof applyResponse>> {
    const path = `/v1/stacks/${encodeURIComponent(stack)}/services/${encodeURIComponent(service)}/scale`;
    return this.#json(applyResponse, { method: 'POST', path, body });
  }

  tasks(
    query: { readonly stack?: string | undefined; readonly all?: boolean | undefined } = {},
  ): Promise<z.infer<typeof taskList>> {
    return this.#json(taskList, { method: 'GET', path: `/v1/tasks${search(query)}` });
  }

  hosts(): Promise<z.infer<typeof hostList>> {
    return this.#json(hostList, { method: 'GET', path: '/v1/hosts' });
  }

  async removeHost(name: string): Promise<void> {
    await this.#send({ method: 'DELETE', path: `/v1/hosts/${encodeURIComponent(name)}` });
  }

  createJoinToken(expiresInMs: number): Promise<z.infer<typeof createdJoinToken>> {
    return this.#json(createdJoinToken, { method: 'POST', path: '/v1/join-tokens', body: { expiresInMs } });
  }

  images(): Promise<z.infer<typeof imageList>> {
    return this.#json(imageList, { method: 'GET', path: '/v1/images' });
  }

  tokens(): Promise<z.infer<typeof tokenList>> {
    return this.#json(tokenList, { method: 'GET', path: '/v1/tokens' });
  }

  createToken(body: z.infer<typeof createTokenRequest>): Promise<z.infer<typeof createdToken>> {
    return this.#json(createdToken, { method: 'POST', path: '/v1/tokens', body });
  }

  async removeToken(name: string): Promise<void> {
    await this.#send({ method: 'DELETE', path: `/v1/tokens/${encodeURIComponent(name)}` });
  }

  /** The first admin token; the address carries the bootstrap secret in place of a token. */
  bootstrap(name: string): Promise<z.infer<typeof createdToken>> {
    return this.#json(createdToken, { method: 'POST', path: '/v1/bootstrap', body: { name } });
  }

  events(query: EventQuery): Promise<z.infer<typeof eventList>> {
    const path = `/v1/events${search({ ...query })}`;
    return this.#json(eventList, { method: 'GET', path, waitMs: query.waitMs ?? 0 });
  }

  createRelay(body: z.infer<typeof createRelayRequest>): Promise<z.infer<typeof createdRelay>> {
    return this.#json(createdRelay, { method: 'POST', path: '/v1/relays', body });
  }

  async #json<Schema extends z.ZodType>(schema: Schema, request: ApiRequest): Promise<z.infer<Schema>> {
    const answer = await this.#send(request);
    return answer.parse(schema);
  }

  #send(request: ApiRequest): ReturnType<typeof sendRequest> {
    return sendRequest(this.address, request, this.#signal);
  }
}

function search(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? '' : `?${parameters}`;
}
