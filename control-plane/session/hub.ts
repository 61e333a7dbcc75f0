import { BerthError, errorText } from '#shared/errors.ts';
import { randomId } from '#shared/id.ts';
import { fromHost, PROTOCOL_VERSION, type FromHost, type ToHost } from '#shared/protocol/control.ts';
import { parseFrame } from '#shared/protocol/parse.ts';
import type { RelayGrant } from '#shared/relay/header.ts';
import type { Clock, Cluster, Hub } from '../ports.ts';
import type { Alarm } from './alarm.ts';
import { AssignmentSender } from './assignment-sender.ts';
import { EventWaiters } from './event-waiters.ts';
import { freshNonce, verifyHello } from './handshake.ts';
import type { HostSocket, HostSockets, Session } from './host-socket.ts';
import { Inbox } from './inbox.ts';
import { refuse } from './refusal.ts';
import { issueRelay, type RelayDirectory } from './relay-tickets.ts';
import { Serial } from './serial.ts';
import { SingleFlight } from './single-flight.ts';
import { deadlineOf, type HubTiming } from './timing.ts';

/** How soon a convergence that failed is tried again, in milliseconds. */
const RETRY_MS = 2_000;

export interface HubPorts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly sockets: HostSockets;
  readonly alarm: Alarm;
  readonly relays: RelayDirectory;
  readonly timing: HubTiming;
  /** One line for the operator. */
  readonly log: (line: string) => void;
}

/**
 * The rules of the control channel, the same on every platform: who is connected, and what each host is sent.
 *
 * Invariants:
 * - Everything that a connection needs is in its socket's session or in the store; memory holds caches only, and may be
 *   lost between any two calls.
 * - The store's host state and observed state are written in turn, one call at a time, in the order of arrival.
 * - At most one socket per host is `ready`; a socket that this end closes is `closed` from that moment.
 * - A host is `ready` in the store while it has a ready socket; a crash between the two is mended by the next sweep.
 * - A socket whose message could not be handled is closed, never left waiting: reconnecting is the one retry.
 */
export class ClusterHub implements Hub {
  readonly #ports: HubPorts;
  readonly #sender: AssignmentSender;
  readonly #events: EventWaiters;
  readonly #inbox = new Inbox();
  readonly #turn = new Serial();
  readonly #convergence: SingleFlight;
  readonly #pushes: SingleFlight;
  #touched = new Set<string>();
  /** When to converge though nothing happens; 0 (at once) while this memory has not converged yet. */
  #convergeAtMs: number | undefined = 0;

  constructor(ports: HubPorts) {
    this.#ports = ports;
    this.#sender = new AssignmentSender(ports.cluster);
    this.#events = new EventWaiters(() => ports.cluster.newestEventId());
    this.#convergence = new SingleFlight(() => this.#converge());
    this.#pushes = new SingleFlight(() => this.#pushTouched());
  }

  /** Begins with empty memory: converges, and gives hosts that were connected one lease to come back. */
  async start(): Promise<void> {
    this.#ports.alarm.ensure(this.#ports.clock() + this.#ports.timing.leaseMs);
    await this.#convergence.request();
  }

  /** A WebSocket to `/v1/hosts/{hostId}/channel` is open. */
  opened(socket: HostSocket, hostId: string): void {
    const { clock, alarm, timing } = this.#ports;
    const nonce = freshNonce();
    socket.session = { phase: 'challenged', hostId, nonce, openedAtMs: clock() };
    this.#send(socket, { kind: 'challenge', protocol: PROTOCOL_VERSION, nonce });
    alarm.ensure(clock() + timing.helloMs);
  }

  /** A text frame arrived, other than a heartbeat. Resolves when it was handled. */
  async received(socket: HostSocket, text: string): Promise<void> {
    if (socket.session.phase === 'closed') return;
    try {
      this.#inbox.take(socket.id, text.length);
    } catch (error) {
      await this.#turn.run(() => this.#drop(socket, error));
      return;
    }
    try {
      await this.#turn.run(() => this.#handle(socket, text));
    } finally {
      this.#inbox.done(socket.id, text.length);
    }
  }

  /** A frame arrived that is no text: there are none on this channel. */
  async receivedBinary(socket: HostSocket): Promise<void> {
    const error = new BerthError(
      'invalid',
      'protocol.malformed',
      'control channel: a binary frame; only text is spoken',
    );
    await this.#turn.run(() => this.#drop(socket, error));
  }

  /** The socket is gone, whoever closed it. */
  async closed(socket: HostSocket): Promise<void> {
    await this.#turn.run(async () => {
      const { session } = socket;
      socket.session = { phase: 'closed', hostId: session.hostId };
      this.#sender.forget(socket);
      if (session.phase === 'ready') await this.#left(session.hostId);
    });
  }

  /** The alarm's time has come: ends leases and handshakes that ran out, converges when that is due, sets the next. */
  async wake(): Promise<void> {
    const { clock, alarm } = this.#ports;
    await this.#turn.run(() => this.#sweep());
    if (this.#convergeAtMs === undefined) return;
    if (this.#convergeAtMs > clock()) alarm.ensure(this.#convergeAtMs);
    else await this.#convergence.request().catch(() => undefined); // logged, and its retry is set
  }

  poke(): Promise<void> {
    return this.#convergence.request();
  }

  async revoke(hostId: string): Promise<void> {
    const error = new BerthError(
      'forbidden',
      'host.revoked',
      'control channel: this host was removed from the cluster',
      {
        remedy: 'Enrol this machine again with `berth runner join` and a new token.',
      },
    );
    await this.#turn.run(async () => {
      for (const socket of this.#ports.sockets.ofHost(hostId)) await this.#drop(socket, error);
    });
    await this.poke();
  }

  async openRelay(hostId: string, grant: RelayGrant): Promise<{ relayId: string; path: string; token: string }> {
    const socket = this.#ready(hostId);
    if (socket === undefined) {
      throw new BerthError('unavailable', 'host.not-connected', `relay: the host ${hostId} is not connected now`, {
        remedy: 'See `berth host ls`; try again when its runner has connected.',
      });
    }
    const relay = await issueRelay(this.#ports.relays, this.#ports.clock());
    const { relayId, path } = relay;
    this.#send(socket, { kind: 'relay', relayId, path, token: relay.hostToken, grant });
    return { relayId, path, token: relay.clientToken };
  }

  waitForEvents(after: number, waitMs: number, signal: AbortSignal): Promise<void> {
    return this.#events.wait(after, waitMs, signal);
  }

  /** Resolves when what is under way has ended; the sockets are closed and the alarm is off by then. */
  async settle(): Promise<void> {
    await this.#turn.run(() => Promise.resolve());
    await this.#convergence.request().catch(() => undefined);
  }

  // ---- in turn

  async #handle(socket: HostSocket, text: string): Promise<void> {
    const { session } = socket;
    if (session.phase === 'closed') return;
    try {
      const message = parseFrame(fromHost, text);
      if (session.phase === 'challenged') await this.#hello(socket, session, message);
      else await this.#message(socket, session.hostId, message);
    } catch (error) {
      await this.#drop(socket, error);
    }
  }

  async #hello(socket: HostSocket, session: Session & { phase: 'challenged' }, hello: FromHost): Promise<void> {
    if (hello.kind !== 'hello') throw unexpected(hello.kind, 'before the hello');
    const { cluster, clock, timing, sockets, alarm } = this.#ports;
    const { hostId } = session;
    await verifyHello(hello, session, await cluster.identity(hostId));
    const { ackedSeq } = await cluster.hostConnected(hostId, hello.facts, hello.images);
    // Its `applied` may have been lost with the last connection.
    await cluster.hostApplied(hostId, hello.version);
    for (const older of sockets.ofHost(hostId)) if (older.session.phase === 'ready') this.#replace(older);
    const sessionId = randomId();
    socket.session = { phase: 'ready', hostId, sessionId, welcomedAtMs: clock(), sent: hello.version };
    const { heartbeatMs, leaseMs } = timing;
    this.#send(socket, { kind: 'welcome', protocol: PROTOCOL_VERSION, sessionId, heartbeatMs, leaseMs, ackedSeq });
    await this.#sender.push(socket);
    alarm.ensure(clock() + leaseMs);
    this.#convergeSoon();
  }

  async #message(socket: HostSocket, hostId: string, message: FromHost): Promise<void> {
    const { cluster } = this.#ports;
    switch (message.kind) {
      case 'status': {
        const { ackedSeq } = await cluster.hostStatus(hostId, message.seq, message.tasks);
        this.#send(socket, { kind: 'ack', seq: ackedSeq });
        this.#events.notify();
        this.#convergeSoon();
        return;
      }
      case 'images':
        await cluster.hostImages(hostId, message.images);
        this.#convergeSoon(); // a slot may have waited for a host with this image
        return;
      case 'applied':
        return cluster.hostApplied(hostId, message.version);
      case 'resync':
        this.#ports.log(`host ${hostId} asked for the complete assignment: ${message.reason}`);
        return this.#sender.resend(socket);
      case 'hello':
        throw unexpected(message.kind, 'after the welcome');
      default:
        return message satisfies never;
    }
  }

  async #sweep(): Promise<void> {
    const { cluster, clock, sockets, alarm, timing } = this.#ports;
    const now = clock();
    let next = Infinity;
    for (const socket of sockets.all()) {
      const deadline = deadlineOf(socket, timing);
      if (deadline === undefined) continue;
      if (deadline.atMs > now) next = Math.min(next, deadline.atMs);
      else await this.#drop(socket, deadline.error);
    }
    for (const hostId of await cluster.readyHosts()) if (this.#ready(hostId) === undefined) await this.#left(hostId);
    // Leases of many hosts end at many moments: one sweep serves those of a quarter of a lease.
    if (next < Infinity) alarm.ensure(Math.max(next, now + timing.leaseMs / 4));
  }

  async #drop(socket: HostSocket, error: unknown): Promise<void> {
    const { session } = socket;
    if (session.phase === 'closed') return;
    this.#ports.log(`host ${session.hostId}: connection closed: ${errorText(error)}`);
    refuse(socket, error);
    this.#sender.forget(socket);
    if (session.phase === 'ready') await this.#left(session.hostId);
  }

  #replace(socket: HostSocket): void {
    refuse(
      socket,
      new BerthError('conflict', 'host.replaced', 'control channel: a newer connection of this host took over'),
    );
    this.#sender.forget(socket);
  }

  async #left(hostId: string): Promise<void> {
    if (this.#ready(hostId) !== undefined) return;
    await this.#ports.cluster.hostDisconnected(hostId).catch((error: unknown) => {
      this.#ports.log(`host ${hostId}: could not store that it is away, the next sweep will: ${errorText(error)}`);
      this.#ports.alarm.ensure(this.#ports.clock() + RETRY_MS);
    });
    this.#convergeSoon();
  }

  // ---- convergence

  #convergeSoon(): void {
    void this.#convergence.request().catch(() => undefined); // logged, and its retry is set
  }

  async #converge(): Promise<void> {
    const { cluster, clock, alarm, log } = this.#ports;
    try {
      const { touchedHosts, nextAtMs } = await this.#turn.run(() => cluster.converge());
      this.#convergeAtMs = nextAtMs;
      for (const hostId of touchedHosts) this.#touched.add(hostId);
    } catch (error) {
      log(`convergence failed, next try in ${RETRY_MS} ms: ${errorText(error)}`);
      this.#convergeAtMs = clock() + RETRY_MS;
      throw error;
    } finally {
      if (this.#convergeAtMs !== undefined) alarm.ensure(this.#convergeAtMs);
    }
    void this.#pushes.request(); // before those who only watch
    this.#events.notify();
  }

  async #pushTouched(): Promise<void> {
    const touched = this.#touched;
    this.#touched = new Set();
    for (const hostId of touched) {
      await this.#turn.run(async () => {
        const socket = this.#ready(hostId);
        if (socket === undefined) return;
        await this.#sender.push(socket).catch((error: unknown) => this.#drop(socket, error));
      });
    }
  }

  #ready(hostId: string): HostSocket | undefined {
    for (const socket of this.#ports.sockets.ofHost(hostId)) if (socket.session.phase === 'ready') return socket;
    return undefined;
  }

  #send(socket: HostSocket, message: ToHost): void {
    socket.send(JSON.stringify(message));
  }
}

function unexpected(kind: string, when: string): BerthError {
  return new BerthError('invalid', 'protocol.unexpected', `control channel: a message of kind "${kind}" ${when}`);
}
