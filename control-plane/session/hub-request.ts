import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import { objectId } from '#shared/model/names.ts';
import { fromProblem, problem } from '#shared/problem.ts';
import { relayGrant } from '#shared/relay/header.ts';
import type { Hub } from '../ports.ts';
import { problemResponse } from '../problem-response.ts';

/** What a Worker asks of its cluster's object, as JSON. */
const hubRequest = z.discriminatedUnion('kind', [
  /** Answered once the database is migrated. */
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('poke') }),
  z.object({ kind: z.literal('revoke'), hostId: objectId }),
  z.object({ kind: z.literal('open-relay'), hostId: objectId, grant: relayGrant }),
  z.object({ kind: z.literal('wait-for-events'), after: z.int(), waitMs: z.number() }),
]);
type HubRequest = z.infer<typeof hubRequest>;

const openedRelay = z.object({ relayId: z.string(), path: z.string(), token: z.string() });

/** Answers a Worker's request to the hub; errors go back as problem documents. */
export async function answerHubRequest(hub: Hub, request: Request): Promise<Response> {
  try {
    const asked = hubRequest.parse(await request.json());
    return Response.json((await perform(hub, asked, request.signal)) ?? null);
  } catch (error) {
    return problemResponse(error);
  }
}

async function perform(hub: Hub, asked: HubRequest, signal: AbortSignal): Promise<unknown> {
  switch (asked.kind) {
    case 'ready':
      return undefined;
    case 'poke':
      return hub.poke();
    case 'revoke':
      return hub.revoke(asked.hostId);
    case 'open-relay':
      return hub.openRelay(asked.hostId, asked.grant);
    case 'wait-for-events':
      return hub.waitForEvents(asked.after, asked.waitMs, signal);
    default:
      return asked satisfies never;
  }
}

/** The cluster's object as a Worker reaches it. */
export interface HubPeer {
  fetch(url: string, init: { method: string; body: string; signal: AbortSignal | null }): Promise<Response>;
}

/** The hub of an object elsewhere. */
export class RemoteHub implements Hub {
  readonly #peer: HubPeer;

  constructor(peer: HubPeer) {
    this.#peer = peer;
  }

  /** Resolves when the database is migrated. */
  async ready(): Promise<void> {
    await this.#ask({ kind: 'ready' });
  }

  async poke(): Promise<void> {
    await this.#ask({ kind: 'poke' });
  }

  async revoke(hostId: string): Promise<void> {
    await this.#ask({ kind: 'revoke', hostId });
  }

  async openRelay(
    hostId: string,
    grant: z.infer<typeof relayGrant>,
  ): Promise<{ relayId: string; path: string; token: string }> {
    return openedRelay.parse(await this.#ask({ kind: 'open-relay', hostId, grant }));
  }

  async waitForEvents(after: number, waitMs: number, signal: AbortSignal): Promise<void> {
    await this.#ask({ kind: 'wait-for-events', after, waitMs }, signal);
  }

  async #ask(request: HubRequest, signal: AbortSignal | null = null): Promise<unknown> {
    const response = await this.#peer.fetch('https://cluster/', {
      method: 'POST',
      body: JSON.stringify(request),
      signal,
    });
    const body: unknown = await response.json();
    if (response.ok) return body;
    const told = problem.safeParse(body);
    if (told.success) throw fromProblem(told.data);
    throw new BerthError('internal', 'hub.failed', `the cluster's object answered ${response.status}`);
  }
}
