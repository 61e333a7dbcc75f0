/** Heartbeats that may be unanswered before the connection counts as half open. */
const MAX_UNANSWERED = 2;

export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly leaseMs: number;
  /** Unix milliseconds. */
  readonly clock: () => number;
  readonly sendPing: () => void;
  /** The control plane counts on this host at least until then (Unix milliseconds). */
  readonly onLease: (expiresAtMs: number) => void;
  /** Nothing has been answered for too long. */
  readonly onSilence: () => void;
}

/**
 * The host's half of the heartbeat. The lease is counted from when the answered ping was *sent*: the control plane counts
 * from when it arrived, which is later, so that the host never believes in its lease for longer than the control plane.
 */
export class Heartbeat implements Disposable {
  readonly #options: HeartbeatOptions;
  readonly #timer: NodeJS.Timeout;
  /** When the pings that are not answered yet were sent, oldest first. */
  readonly #unanswered: number[] = [];

  /** @param helloSentAtMs the hello is the first sign of life that was answered */
  constructor(options: HeartbeatOptions, helloSentAtMs: number) {
    this.#options = options;
    options.onLease(helloSentAtMs + options.leaseMs);
    this.#timer = setInterval(() => this.#beat(), options.intervalMs);
  }

  pong(): void {
    const sentAtMs = this.#unanswered.shift();
    if (sentAtMs !== undefined) this.#options.onLease(sentAtMs + this.#options.leaseMs);
  }

  #beat(): void {
    if (this.#unanswered.length >= MAX_UNANSWERED) return this.#options.onSilence();
    this.#unanswered.push(this.#options.clock());
    this.#options.sendPing();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
