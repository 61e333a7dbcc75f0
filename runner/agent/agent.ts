import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostFacts } from '#shared/model/host.ts';
import type { Engine } from '../container/engine.ts';
import type { ImageStore } from '../image/store.ts';
import type { Log } from '../log.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { backoffMs } from './backoff.ts';
import { Channel, type ChannelEnd } from './channel.ts';
import type { Identity } from './identity.ts';
import { Outbox } from './outbox.ts';
import { RelayDialler } from './relay.ts';
import { StatusFlow } from './status-flow.ts';

/** How long to wait after a control plane that does not understand or accept this host, in milliseconds. */
const REFUSED_RETRY_MS = 60_000;
const HANDSHAKE_TIMEOUT_MS = 15_000;

export interface AgentOptions {
  readonly identity: Identity;
  readonly facts: HostFacts;
  readonly database: DatabaseSync;
  readonly engine: Engine;
  readonly images: ImageStore;
  readonly reconciler: Reconciler;
  readonly log: Log;
  /** Replaced by tests: Unix milliseconds, a random number from 0 to 1, and the two waits. */
  readonly clock?: () => number;
  readonly random?: () => number;
  readonly refusedRetryMs?: number;
  readonly handshakeTimeoutMs?: number;
}

/**
 * The host's side of the control channel: dials out, keeps the channel up, tells what changed. It resolves when `signal`
 * aborts, or when the control plane has revoked this host; containers are not its business and keep running.
 */
export async function runAgent(options: AgentOptions, { signal }: { signal: AbortSignal }): Promise<void> {
  const { identity, reconciler, images, engine, log, random = Math.random } = options;
  const outbox = new Outbox(options.database);
  // What changed while no process was there to notice; an equal status is told again, which changes nothing.
  outbox.add(reconciler.statuses());
  let channel: Channel | undefined;
  using listeners = new DisposableStack();
  const flow = listeners.use(
    new StatusFlow((changed) => {
      outbox.add(changed);
      channel?.statusChanged();
    }),
  );
  listeners.use(reconciler.onStatus((changed) => flow.add(changed)));
  listeners.use(images.onChange(() => channel?.imagesChanged()));
  await using relays = new RelayDialler({ url: identity.url, engine, images, log });
  const context = {
    identity,
    facts: options.facts,
    reconciler,
    images,
    outbox,
    log,
    clock: options.clock ?? Date.now,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    onRelay: relays.dial.bind(relays),
  };
  for (let attempt = 0; !signal.aborted;) {
    channel = new Channel(context);
    const end = await channel.run(signal);
    channel = undefined;
    if (signal.aborted || end.kind === 'revoked') return tellLastEnd(end, log);
    if (end.kind === 'lost' && end.stable) attempt = 0;
    const slow = options.refusedRetryMs ?? REFUSED_RETRY_MS;
    const waitMs = end.kind === 'refused' ? slow : backoffMs(attempt, random());
    attempt += 1;
    if (end.kind === 'refused')
      log.error('the control plane refused this host', { reason: end.reason, retryInMs: waitMs });
    else log.warn('no connection to the control plane', { reason: end.reason, retryInMs: waitMs });
    await delay(waitMs, undefined, { signal }).catch(() => {}); // the loop's condition sees the abort
  }
}

function tellLastEnd(end: ChannelEnd, log: Log): void {
  if (end.kind !== 'revoked') return;
  log.error('this host was removed from the cluster; its containers keep running, and it does not connect again', {
    reason: end.reason,
    remedy:
      'To join again: stop the runner, remove identity.json from its data root, then `berth runner join URL --token T`',
  });
}
