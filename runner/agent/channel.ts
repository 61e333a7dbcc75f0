import { BerthError, errorText } from '#shared/errors.ts';
import type { HostFacts } from '#shared/model/host.ts';
import { challengeText, CLOSE, PROTOCOL_VERSION, type ToHost } from '#shared/protocol/control.ts';
import type { ImageStore } from '../image/store.ts';
import type { Log } from '../log.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { ControlSocket } from './control-socket.ts';
import { Heartbeat } from './heartbeat.ts';
import { signText, type Identity } from './identity.ts';
import type { Outbox } from './outbox.ts';

export type RelayOrder = Extract<ToHost, { kind: 'relay' }>;

/** What a channel works with. */
export interface ChannelContext {
  readonly identity: Identity;
  readonly facts: HostFacts;
  readonly reconciler: Reconciler;
  readonly images: ImageStore;
  readonly outbox: Outbox;
  readonly log: Log;
  readonly clock: () => number;
  /** Longest wait for the connection, the challenge and the welcome, each. */
  readonly handshakeTimeoutMs: number;
  /** Starts serving a relay; does not wait for it. */
  readonly onRelay: (order: RelayOrder) => void;
}

/** Why a channel ended. */
export type ChannelEnd =
  /** The host was removed from the cluster. */
  | { readonly kind: 'revoked'; readonly reason: string }
  /** The two ends do not understand or accept each other: soon again is no use. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** `stable`: it was up and heartbeats were answered. */
  | { readonly kind: 'lost'; readonly reason: string; readonly stable: boolean };

/**
 * One connection to the control plane, from dialling to its end.
 *
 * Invariants: messages are handled one after the other, in order; at most one outgoing batch or image list is in the
 * socket's buffer; the channel never throws: it ends, and `run` says why.
 */
export class Channel {
  readonly #context: ChannelContext;
  readonly #socket: ControlSocket;
  readonly #ended = Promise.withResolvers<ChannelEnd>();
  #state: 'dialling' | 'challenge' | 'welcome' | 'open' | 'ended' = 'dialling';
  #pushing = false;
  #imagesChanged = false;
  #helloSentAtMs = 0;
  #heartbeat: Heartbeat | undefined;
  #stable = false;
  /** What the control plane said before it closed. */
  #refusal: string | undefined;
  #timeout: NodeJS.Timeout | undefined;

  constructor(context: ChannelContext) {
    this.#context = context;
    const { url, hostId } = context.identity;
    const address = `${url.replace(/^http/, 'ws')}/v1/hosts/${hostId}/channel`;
    this.#socket = new ControlSocket(address, context.handshakeTimeoutMs, {
      onOpen: () => this.#await('challenge'),
      onMessage: (message) => this.#handle(message),
      onPong: () => {
        this.#stable = true;
        this.#heartbeat?.pong();
      },
      onFailure: (error) => this.#fail(error),
      onLost: (reason) => this.#lost(reason),
      onTooLong: (reason) => this.#end({ kind: 'refused', reason }),
      onClosed: (code, text) => this.#closed(code, text),
    });
  }

  /** Resolves with why it ended; aborting closes it in good order. */
  async run(signal: AbortSignal): Promise<ChannelEnd> {
    const stop = () => {
      this.#socket.close(1001, 'the runner stops');
      this.#lost('the runner stops');
    };
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await this.#ended.promise;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** There may be new status batches to send. */
  statusChanged(): void {
    this.#push();
  }

  imagesChanged(): void {
    this.#imagesChanged = true;
    this.#push();
  }

  // ---- the connection's life

  #await(state: 'challenge' | 'welcome'): void {
    this.#state = state;
    clearTimeout(this.#timeout);
    this.#timeout = setTimeout(() => {
      this.#socket.close(CLOSE.timeout, `no ${state} in time`);
      this.#lost(`no ${state} within ${this.#context.handshakeTimeoutMs} ms`);
    }, this.#context.handshakeTimeoutMs);
  }

  #end(end: ChannelEnd): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearTimeout(this.#timeout);
    this.#heartbeat?.[Symbol.dispose]();
    this.#socket.end();
    this.#ended.resolve(end);
  }

  #lost(reason: string): void {
    this.#end({ kind: 'lost', reason: this.#refusal ?? reason, stable: this.#stable });
  }

  #closed(code: number, text: string): void {
    const reason = this.#refusal ?? (text === '' ? `closed with code ${code}` : text);
    if (code === CLOSE.revoked) return this.#end({ kind: 'revoked', reason });
    const isRefusal =
      code === CLOSE.protocol || code === CLOSE.unauthenticated || code === CLOSE.replaced || code === CLOSE.tooLarge;
    if (isRefusal) return this.#end({ kind: 'refused', reason });
    this.#lost(reason);
  }

  // ---- what comes in

  #fail(error: unknown): void {
    const reason = errorText(error);
    const isTheirs = error instanceof BerthError && error.kind !== 'unavailable' && error.kind !== 'internal';
    const code = !isTheirs ? 1011 : error.kind === 'too-large' ? CLOSE.tooLarge : CLOSE.protocol;
    this.#socket.close(code, reason);
    this.#end(isTheirs ? { kind: 'refused', reason } : { kind: 'lost', reason, stable: false });
  }

  async #handle(message: ToHost): Promise<void> {
    if (message.kind === 'refused') {
      this.#refusal = `${message.message} (${message.code})`;
      return;
    }
    if (this.#state === 'challenge' && message.kind === 'challenge') return this.#challenged(message.nonce);
    if (this.#state === 'welcome' && message.kind === 'welcome') return this.#welcomed(message);
    if (this.#state === 'ended') return;
    if (this.#state !== 'open') throw unexpected(message.kind, this.#state);
    switch (message.kind) {
      case 'assignment':
        await this.#context.reconciler.applyComplete(message.version, message.assignment);
        return this.#socket.send({ kind: 'applied', version: message.version });
      case 'increment':
        return this.#increment(message);
      case 'ack':
        this.#context.outbox.acknowledge(message.seq);
        return this.#push();
      case 'relay':
        return this.#context.onRelay(message);
      case 'challenge':
      case 'welcome':
        throw unexpected(message.kind, this.#state);
      default:
        message satisfies never;
    }
  }

  async #challenged(nonce: string): Promise<void> {
    const { identity, facts, images, reconciler, clock } = this.#context;
    this.#await('welcome');
    this.#helloSentAtMs = clock();
    this.#imagesChanged = false;
    await this.#socket.send({
      kind: 'hello',
      protocol: PROTOCOL_VERSION,
      hostId: identity.hostId,
      signature: signText(identity.key, challengeText(identity.hostId, nonce)),
      facts,
      images: heldImages(images),
      version: reconciler.version(),
    });
  }

  #welcomed(welcome: Extract<ToHost, { kind: 'welcome' }>): void {
    const { outbox, reconciler, log, clock, identity } = this.#context;
    clearTimeout(this.#timeout);
    this.#state = 'open';
    const options = {
      intervalMs: welcome.heartbeatMs,
      leaseMs: welcome.leaseMs,
      clock,
      sendPing: () => this.#socket.ping(),
      onLease: (expiresAtMs: number) => reconciler.setLease(expiresAtMs),
      onSilence: () => {
        this.#socket.terminate();
        this.#lost('heartbeats are not answered');
      },
    };
    this.#heartbeat = new Heartbeat(options, this.#helloSentAtMs);
    log.info('connected to the control plane', { url: identity.url, session: welcome.sessionId });
    if (outbox.resume(welcome.ackedSeq).lost) {
      log.warn('the control plane and this host disagree on what was told: telling everything again');
      outbox.add(reconciler.statuses());
    }
    this.#push();
  }

  async #increment({ version, increment }: Extract<ToHost, { kind: 'increment' }>): Promise<void> {
    const { reconciler } = this.#context;
    const have = reconciler.version();
    if ((await reconciler.applyIncrement(version, increment)) === 'applied') {
      return this.#socket.send({ kind: 'applied', version });
    }
    const reason = `this host holds generation ${have.generation}; the increment to ${version.generation} does not fit it`;
    return this.#socket.send({ kind: 'resync', have: have.digest, reason });
  }

  // ---- what goes out

  #push(): void {
    if (this.#state !== 'open' || this.#pushing) return;
    this.#pushing = true;
    this.#pushAll()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#pushing = false;
      });
  }

  async #pushAll(): Promise<void> {
    const { outbox, images } = this.#context;
    while (this.#state === 'open') {
      if (this.#imagesChanged) {
        this.#imagesChanged = false;
        await this.#socket.send({ kind: 'images', images: heldImages(images) });
        continue;
      }
      const batch = outbox.takeNext();
      if (batch === undefined) return;
      await this.#socket.send({ kind: 'status', seq: batch.seq, tasks: [...batch.tasks] });
    }
  }
}

function heldImages(images: ImageStore) {
  return images.list().map(({ id, references, sizeBytes, createdAtMs }) => ({
    id,
    references: [...references],
    sizeBytes,
    createdAtMs,
  }));
}

function unexpected(kind: string, state: string): BerthError {
  return new BerthError('invalid', 'protocol.unexpected', `control channel: a ${kind} in state "${state}"`);
}
