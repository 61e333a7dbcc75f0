import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '#shared/errors.ts';
import type { Endpoint, Network } from '../network/network.ts';
import type { EngineLog } from './engine-context.ts';

const retryMs = 1000;

/**
 * Keeps the network's endpoints equal to what `endpoints()` says. Invariants: one publication at a time; a request made
 * while one is under way is served by the next, which reads the newest set; a failed one is told and tried again.
 */
export class Publisher implements AsyncDisposable {
  readonly #network: Network;
  readonly #endpoints: () => readonly Endpoint[];
  readonly #log: EngineLog;
  readonly #ended = new AbortController();
  #published: string | undefined;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(network: Network, endpoints: () => readonly Endpoint[], log: EngineLog) {
    this.#network = network;
    this.#endpoints = endpoints;
    this.#log = log;
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
    const endpoints = this.#endpoints();
    const text = JSON.stringify(endpoints);
    if (text === this.#published) return;
    try {
      await this.#network.publish(endpoints);
      this.#published = text;
    } catch (error) {
      this.#log('error', `Publishing the containers' ports failed and is tried again: ${errorText(error)}`);
      void this.#retry();
    }
  }

  async #retry(): Promise<void> {
    await delay(retryMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
    if (!this.#ended.signal.aborted) await this.request();
  }
}
