import type { DurableObjectState } from '@cloudflare/workers-types';
import type { Alarm } from './alarm.ts';
import { Serial } from './serial.ts';

/** The one alarm of a Durable Object's storage. */
export class ObjectAlarm implements Alarm {
  readonly #state: DurableObjectState;
  readonly #turn = new Serial();
  /** The earliest time that this memory has set; there may be an earlier one in storage. */
  #setMs = Infinity;

  constructor(state: DurableObjectState) {
    this.#state = state;
  }

  ensure(atMs: number): void {
    if (atMs >= this.#setMs) return;
    this.#setMs = atMs;
    const { storage } = this.#state;
    this.#state.waitUntil(
      this.#turn.run(async () => {
        const stored = await storage.getAlarm();
        if (stored === null || stored > atMs) await storage.setAlarm(atMs);
      }),
    );
  }

  /** It rang: what was set is gone. */
  rang(): void {
    this.#setMs = Infinity;
  }
}
