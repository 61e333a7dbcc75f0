import type { DurableObjectState, WebSocket as ObjectWebSocket } from '@cloudflare/workers-types';
import { randomId } from '#shared/id.ts';
import type { HostSocket, HostSockets, Session } from './host-socket.ts';

/** What is attached to a socket, and outlives the object's memory. */
interface Attachment {
  readonly id: string;
  readonly session: Session;
}

const OPEN = 1;

class ObjectHostSocket implements HostSocket {
  readonly id: string;
  #session: Session;
  readonly #socket: ObjectWebSocket;
  readonly #state: DurableObjectState;

  constructor(state: DurableObjectState, socket: ObjectWebSocket, { id, session }: Attachment) {
    this.#state = state;
    this.#socket = socket;
    this.id = id;
    this.#session = session;
  }

  get session(): Session {
    return this.#session;
  }

  set session(session: Session) {
    this.#session = session;
    const attachment: Attachment = { id: this.id, session };
    this.#socket.serializeAttachment(attachment);
  }

  get lastHeartbeatMs(): number | undefined {
    return this.#state.getWebSocketAutoResponseTimestamp(this.#socket)?.getTime();
  }

  send(text: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(text);
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.close(code, reason);
  }
}

/** The host sockets that a Durable Object's runtime keeps, even while the object hibernates. */
export class ObjectHostSockets implements HostSockets {
  readonly #state: DurableObjectState;
  readonly #known = new WeakMap<ObjectWebSocket, ObjectHostSocket>();

  constructor(state: DurableObjectState) {
    this.#state = state;
  }

  *all(): Iterable<HostSocket> {
    for (const socket of this.#state.getWebSockets()) yield this.of(socket);
  }

  *ofHost(hostId: string): Iterable<HostSocket> {
    for (const socket of this.#state.getWebSockets(hostId)) yield this.of(socket);
  }

  /** Takes a new connection in; it is tagged with its host. */
  accept(socket: ObjectWebSocket, hostId: string): HostSocket {
    this.#state.acceptWebSocket(socket, [hostId]);
    const attachment: Attachment = { id: randomId(), session: { phase: 'closed', hostId } };
    const accepted = new ObjectHostSocket(this.#state, socket, attachment);
    this.#known.set(socket, accepted);
    return accepted;
  }

  of(socket: ObjectWebSocket): HostSocket {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const found = new ObjectHostSocket(this.#state, socket, socket.deserializeAttachment() as Attachment);
    this.#known.set(socket, found);
    return found;
  }
}
