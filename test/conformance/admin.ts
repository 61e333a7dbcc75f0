import type { z } from 'zod';
import { createdJoinToken, hostList, joinResponse, type HostView } from '#shared/api/hosts.ts';
import { createdRelay, type createRelayRequest } from '#shared/api/relays.ts';
import { eventList, type EventView } from '#shared/api/events.ts';
import { serviceList, taskList, type ServiceView, type TaskView } from '#shared/api/stacks.ts';
import { createdToken } from '#shared/api/tokens.ts';
import { fromProblem, problem } from '#shared/problem.ts';

/** Where a control plane is, and the secret of its first login. */
export interface AdminTarget {
  readonly url: string;
  readonly bootstrapSecret: string;
}

/** The API of a running control plane, as its administrator calls it. */
export class Admin {
  readonly #target: AdminTarget;
  readonly token: string;

  private constructor(target: AdminTarget, token: string) {
    this.#target = target;
    this.token = token;
  }

  /** The first administrator of a new cluster. */
  static async bootstrap(target: AdminTarget): Promise<Admin> {
    const created = await call(target, target.bootstrapSecret, 'POST', '/v1/bootstrap', { name: 'admin' });
    return new Admin(target, createdToken.parse(created).token);
  }

  /** Enrols a host by a fresh join token; answers its id. */
  async join(request: object): Promise<string> {
    const token = await this.joinToken();
    return joinResponse.parse(await call(this.#target, token, 'POST', '/v1/hosts/join', request)).hostId;
  }

  async joinToken(expiresInMs = 3_600_000): Promise<string> {
    return createdJoinToken.parse(await this.#call('POST', '/v1/join-tokens', { expiresInMs })).token;
  }

  async hosts(): Promise<HostView[]> {
    return hostList.parse(await this.#call('GET', '/v1/hosts')).hosts;
  }

  async removeHost(name: string): Promise<void> {
    await this.#call('DELETE', `/v1/hosts/${name}`);
  }

  async host(name: string): Promise<HostView> {
    const host = (await this.hosts()).find((each) => each.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  async apply(stack: string, compose: string): Promise<void> {
    await this.#call('PUT', `/v1/stacks/${stack}`, { compose });
  }

  async removeStack(stack: string): Promise<void> {
    await this.#call('DELETE', `/v1/stacks/${stack}`);
  }

  async scale(stack: string, service: string, replicas: number): Promise<void> {
    await this.#call('POST', `/v1/stacks/${stack}/services/${service}/scale`, { replicas });
  }

  async tasks(stack: string): Promise<TaskView[]> {
    return (await this.taskList(`stack=${stack}`)).tasks;
  }

  /** All tasks that are wanted or have not ended, and the slots that wait for a host. */
  async taskList(query = ''): Promise<z.infer<typeof taskList>> {
    return taskList.parse(await this.#call('GET', `/v1/tasks?${query}`));
  }

  async services(): Promise<ServiceView[]> {
    return serviceList.parse(await this.#call('GET', '/v1/services')).services;
  }

  async events(): Promise<EventView[]> {
    return eventList.parse(await this.#call('GET', '/v1/events?limit=500')).events;
  }

  async openRelay(request: z.input<typeof createRelayRequest>): Promise<z.infer<typeof createdRelay>> {
    return createdRelay.parse(await this.#call('POST', '/v1/relays', request));
  }

  #call(method: string, path: string, body?: object): Promise<unknown> {
    return call(this.#target, this.token, method, path, body);
  }
}

async function call(target: AdminTarget, token: string, method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(target.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (response.ok) return text === '' ? undefined : JSON.parse(text);
  const told = problem.safeParse(text === '' ? undefined : JSON.parse(text));
  if (told.success) throw fromProblem(told.data);
  throw new Error(`${method} ${path}: ${response.status} ${text}`);
}
