import type { ContainerRecord, Engine } from '../container/engine.ts';
import type { ContainerControl } from '../container/control.ts';
import {
  eventMessage,
  eventsOfChange,
  probeEvent,
  type EventContent,
  type EventMessage,
} from './translate/event-message.ts';

/** As many past events are remembered. */
const REMEMBERED = 1024;

export type EventListener = (event: EventMessage) => void;

/** The host's events: the last of them, and each new one to who listens. They are not kept over the runner's end. */
export class EventLog implements Disposable {
  readonly #clock: () => number;
  readonly #past: EventMessage[] = [];
  readonly #listeners = new Set<EventListener>();
  readonly #records: Map<string, ContainerRecord>;
  readonly #changes: Disposable;
  readonly #probes: Disposable | undefined;

  constructor(engine: Engine & Pick<ContainerControl, 'onProbe'>, clock: () => number) {
    this.#clock = clock;
    this.#records = new Map(engine.list().map((record) => [record.id, record]));
    this.#changes = engine.onChange((id, record) => {
      const events = eventsOfChange(this.#records.get(id), record);
      if (record === undefined) this.#records.delete(id);
      else this.#records.set(id, record);
      for (const event of events) this.tell(event);
    });
    this.#probes = engine.onProbe?.((id, probe) => {
      const record = this.#records.get(id);
      if (record !== undefined) this.tell(probeEvent(record, probe));
    });
  }

  tell(content: EventContent): void {
    const event = eventMessage(content, this.#clock());
    this.#past.push(event);
    if (this.#past.length > REMEMBERED) this.#past.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** What is remembered, oldest first. */
  past(): readonly EventMessage[] {
    return this.#past;
  }

  listen(listener: EventListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
    this.#probes?.[Symbol.dispose]();
  }
}
