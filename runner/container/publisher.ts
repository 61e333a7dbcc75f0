import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '#shared/errors.ts';
import type { NetworkNames } from '../network/name-table.ts';
import type { Endpoint, Network } from '../network/network.ts';
import type { EngineLog, NameSink } from './engine-context.ts';

const retryMs = 1000;

export interface PublisherOptions {
  readonly network: Pick<Network, 'publish'>;
  readonly endpoints: () => readonly Endpoint[];
  readonly names?: () => readonly NetworkNames[];
  readonly resolver?: NameSink;
  readonly log: EngineLog;
}

/**
 * Keeps the network's endpoints and the resolver's names equal to what `endpoints()` and `names()` say. Invariants: one publication at a time; a request made
 * while one is under way is served by the next, which reads the newest set; a failed one is told and tried again.
 */
export class Publisher implements AsyncDisposable {
  readonly #options: PublisherOptions;
  readonly #ended = new AbortController();
  #published: string | undefined;
  #named: string | undefined;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Resolves when the set as it is now has been published, or has failed to be and will be tried again. */
  request(): Promise<void> {
    if (this.#current === undefined) return this.#begin();
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort();
    while (this.#current !== undefined) await (this.#next ?? this.#current);
  }

  #begin(): Promise<void> {
    this.#current = this.#publish().finally(() => {
      this.#current = undefined;
    });
    return this.#current;
  }

  async #publish(): Promise<void> {
    try {
      const both = await Promise.allSettled([this.#publishEndpoints(), this.#publishNames()]);
      for (const one of both) if (one.status === 'rejected') throw one.reason;
    } catch (error) {
      this.#options.log('error', `Publishing the containers' ports failed and is tried again: ${errorText(error)}`);
      void this.#retry();
    }
  }

  async #publishEndpoints(): Promise<void> {
    const endpoints = this.#options.endpoints();
    const text = JSON.stringify(endpoints);
    if (text === this.#published) return;
    await this.#options.network.publish(endpoints);
    this.#published = text;
  }

  async #publishNames(): Promise<void> {
    const { resolver, names } = this.#options;
    if (resolver === undefined || names === undefined) return;
    const table = names();
    const text = JSON.stringify(table);
    if (text === this.#named) return;
    await resolver.update(table);
    this.#named = text;
  }

  async #retry(): Promise<void> {
    await delay(retryMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
    if (!this.#ended.signal.aborted) await this.request();
  }
}
