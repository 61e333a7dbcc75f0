import { dnsPort, forward } from './forward.ts';
import { localAnswer } from './local-answer.ts';
import { failure, passedOn, readMessage, responseCode, type Query } from './message.ts';
import { NameIndex, type NameView } from './name-index.ts';
import { Slots } from './slots.ts';
import type { HostUpstreams } from './upstreams.ts';

/** How a container's own options change the way its questions go; its resolv.conf names only us. */
export interface ContainerDns {
  /** What it was given in place of the host's resolvers; empty for these. */
  readonly servers: readonly string[];
  /** True when its options say `ndots`. */
  readonly hasDots: boolean;
}

export interface QuestionDeskOptions {
  /** Undefined for a container without options of its own. */
  readonly dnsOf: (containerId: string) => ContainerDns | undefined;
  readonly host: Pick<HostUpstreams, 'servers' | 'hasDots'>;
  readonly upstreamPort?: number;
}

/** A question and where it came from. */
export interface Asked {
  readonly networkId: string;
  /** Dotted quad. */
  readonly source: string;
  readonly transport: 'udp' | 'tcp';
  readonly bytes: Buffer;
  readonly signal: AbortSignal;
}

/** Questions that are asked elsewhere at once: each has a socket. */
const outstanding = { total: 1024, each: 128 };

const longestStreamBytes = 0xffff;

/**
 * Answers questions, whatever they came by. Invariants: a stranger to the network gets nothing, not even a refusal; a
 * message that is malformed costs an answer no longer than itself.
 */
export class QuestionDesk {
  readonly #options: QuestionDeskOptions;
  readonly #slots = new Slots(outstanding);
  #index = new NameIndex([]);
  #own: ReadonlySet<string> = new Set();
  #turn = 0;

  constructor(options: QuestionDeskOptions) {
    this.#options = options;
  }

  /** From now on these are the names. `own` are the addresses that we answer at: never an upstream. */
  update(index: NameIndex, own: ReadonlySet<string>): void {
    this.#index = index;
    this.#own = own;
  }

  /** True for an address that may ask here at all. */
  knows(networkId: string, source: string): boolean {
    return this.#index.viewOf(networkId, source) !== undefined;
  }

  /** The answer, at once or later; undefined for none. A promise of it never rejects. */
  answer(asked: Asked): Buffer | undefined | Promise<Buffer | undefined> {
    const view = this.#index.viewOf(asked.networkId, asked.source);
    if (view === undefined) return undefined;
    const received = readMessage(asked.bytes);
    if (received.kind === 'ignored') return undefined;
    if (received.kind === 'refused') return received.answer;
    const { query } = received;
    const longest = asked.transport === 'tcp' ? longestStreamBytes : query.datagramBytes;
    this.#turn = (this.#turn + 1) % 0x1000000;
    try {
      const local = localAnswer(query, view, this.#turn, longest);
      if (local !== undefined) return local;
    } catch {
      return failure(asked.bytes, responseCode.failure); // a name that cannot be written again
    }
    return this.#fromOutside(asked, query, view, longest);
  }

  #fromOutside(asked: Asked, query: Query, view: NameView, longestBytes: number): Buffer | Promise<Buffer> {
    const { bytes, transport, signal } = asked;
    const own = view.containerId === undefined ? undefined : this.#options.dnsOf(view.containerId);
    const isShort = !query.name.includes('.') && (query.type === 'A' || query.type === 'AAAA');
    const hasDots = own?.hasDots === true || this.#options.host.hasDots;
    // Who asked for `ndots` wants a short name looked up in its search domains first: the world is not asked for it.
    if (view.reachesOutside && hasDots && isShort) return failure(bytes, responseCode.ok);
    const wanted = own === undefined || own.servers.length === 0 ? this.#options.host.servers : own.servers;
    const servers = wanted.filter((address) => !this.#own.has(address));
    if (!view.reachesOutside || servers.length === 0) return failure(bytes, responseCode.failure);
    const slot = this.#slots.take(asked.source);
    if (slot === undefined) return failure(bytes, responseCode.refused);
    const port = this.#options.upstreamPort ?? dnsPort;
    return forward(bytes, { servers, transport, port, signal })
      .then((answer) =>
        answer === undefined ? failure(bytes, responseCode.failure) : passedOn(bytes, answer, longestBytes),
      )
      .finally(() => slot[Symbol.dispose]());
  }
}
