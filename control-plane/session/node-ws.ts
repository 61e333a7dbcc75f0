import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { BerthError, errorText } from '#shared/errors.ts';
import { randomId } from '#shared/id.ts';
import { toProblem } from '#shared/problem.ts';
import { MAX_CONTROL_FRAME_BYTES, PING, PONG } from '#shared/protocol/control.ts';
import { FRAME_HEADER_BYTES, MAX_PAYLOAD_BYTES } from '#shared/relay/frame.ts';
import type { RelaySide } from '#shared/relay/ledger.ts';
import type { Clock } from '../ports.ts';
import type { HostSocket, HostSockets, Session } from './host-socket.ts';
import type { ClusterHub } from './hub.ts';
import type { InProcessRelays } from './in-process-relays.ts';
import type { Relay } from './relay.ts';
import { noSuchChannel, relayToken, upgradeRoute } from './upgrade-route.ts';

/**
 * The library's own limit, which drops a connection without a word; a little over the protocol's, so that a frame over
 * that one is refused by name (`CLOSE.tooLarge`).
 */
const MAX_CHANNEL_MESSAGE_BYTES = 2 * MAX_CONTROL_FRAME_BYTES;
/** Most bytes that may wait for a host that does not read. */
const MAX_UNSENT_BYTES = 4 * MAX_CONTROL_FRAME_BYTES;
/** Most channels at once that have not said hello. */
const MAX_HANDSHAKES = 1024;
/** How often a relay's two ends are probed: relays have no heartbeat of their own, and a peer may vanish silently. */
const RELAY_PROBE_MS = 30_000;
/** How long closing handshakes may take when the server stops. */
const CLOSE_MS = 2_000;

class NodeHostSocket implements HostSocket {
  readonly id = randomId();
  session: Session;
  lastHeartbeatMs: number | undefined;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket, hostId: string) {
    this.#socket = socket;
    this.session = { phase: 'closed', hostId };
  }

  send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) this.#socket.terminate();
    else this.#socket.send(text);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}

/** The host sockets of this process. */
export class NodeHostSockets implements HostSockets {
  readonly #byHost = new Map<string, Set<NodeHostSocket>>();

  *all(): Iterable<NodeHostSocket> {
    for (const sockets of this.#byHost.values()) yield* sockets;
  }

  ofHost(hostId: string): Iterable<NodeHostSocket> {
    return this.#byHost.get(hostId) ?? [];
  }

  add(socket: NodeHostSocket): void {
    const { hostId } = socket.session;
    const sockets = this.#byHost.get(hostId) ?? new Set();
    this.#byHost.set(hostId, sockets.add(socket));
  }

  remove(socket: NodeHostSocket): void {
    const { hostId } = socket.session;
    const sockets = this.#byHost.get(hostId);
    sockets?.delete(socket);
    if (sockets?.size === 0) this.#byHost.delete(hostId);
  }
}

export interface NodeWebSocketPorts {
  readonly hub: ClusterHub;
  readonly sockets: NodeHostSockets;
  readonly relays: InProcessRelays;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/** Serves the control channel and the relays on a Node HTTP server; disposing closes every connection. */
export class NodeWebSockets implements AsyncDisposable {
  readonly #ports: NodeWebSocketPorts;
  readonly #channels = serverOf(MAX_CHANNEL_MESSAGE_BYTES);
  readonly #relays = serverOf(FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES);
  #stopping = false;

  constructor(server: Server, ports: NodeWebSocketPorts) {
    this.#ports = ports;
    server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head).catch((error: unknown) => refuseUpgrade(socket, error));
    });
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy()); // the peer went away before the upgrade was answered
    const { pathname } = new URL(request.url ?? '/', 'http://control-plane');
    if (this.#stopping) throw new BerthError('unavailable', 'control-plane.stopping', 'the control plane is stopping');
    const route = upgradeRoute(pathname);
    if (route === undefined) throw noSuchChannel(pathname);
    if (route.kind === 'channel') {
      this.#admitHandshake();
      this.#channels.handleUpgrade(request, socket, head, (ws) => this.#channel(ws, route.hostId));
      return;
    }
    const { relay, side } = await this.#ports.relays.redeem(route.relayId, relayToken(request.headers.authorization));
    this.#relays.handleUpgrade(request, socket, head, (ws) => joinRelay(ws, relay, side));
  }

  #admitHandshake(): void {
    let open = 0;
    for (const { session } of this.#ports.sockets.all()) if (session.phase === 'challenged') open += 1;
    if (open < MAX_HANDSHAKES) return;
    throw new BerthError('unavailable', 'channel.busy', `control channel: ${open} hosts are connecting now`, {
      remedy: 'Connect again a little later.',
    });
  }

  #channel(ws: WebSocket, hostId: string): void {
    const { hub, sockets, clock, log } = this.#ports;
    const socket = new NodeHostSocket(ws, hostId);
    sockets.add(socket);
    const report = (error: unknown): void => log(`host ${hostId}: ${errorText(error)}`);
    ws.on('message', (data, isBinary) => {
      if (isBinary) {
        hub.receivedBinary(socket).catch(report);
        return;
      }
      const text = bytesOf(data).toString('utf8');
      if (text !== PING) {
        hub.received(socket, text).catch(report);
        return;
      }
      socket.lastHeartbeatMs = clock();
      socket.send(PONG);
    });
    ws.on('error', report);
    ws.on('close', () => {
      sockets.remove(socket);
      hub.closed(socket).catch(report);
    });
    hub.opened(socket, hostId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    this.#ports.relays.stop();
    // The hosts come back to the next process: none of them is away because this one stops.
    for (const socket of this.#ports.sockets.all()) {
      socket.session = { phase: 'closed', hostId: socket.session.hostId };
      socket.close(1001, 'the control plane is stopping');
    }
    const open = [...this.#channels.clients, ...this.#relays.clients];
    const closed = open.map((ws) => new Promise((resolve) => ws.once('close', resolve)));
    const deadline = setTimeout(() => {
      for (const ws of open) ws.terminate();
    }, CLOSE_MS);
    await Promise.all(closed);
    clearTimeout(deadline);
  }
}

function serverOf(maxPayload: number): WebSocketServer {
  return new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, clientTracking: true });
}

function joinRelay(ws: WebSocket, relay: Relay, side: RelaySide): void {
  let isAlive = true;
  const probe = setInterval(() => {
    if (!isAlive) ws.terminate();
    isAlive = false;
    ws.ping();
  }, RELAY_PROBE_MS);
  ws.on('pong', () => (isAlive = true));
  ws.on('message', (data, isBinary) => {
    isAlive = true;
    if (isBinary) relay.received(side, new Uint8Array(bytesOf(data)));
    else relay.receivedText();
  });
  ws.on('error', () => undefined); // 'close' follows, with the code
  ws.on('close', (code) => {
    clearInterval(probe);
    relay.closed(side, code);
  });
  relay.attach(side, {
    send: (bytes) => ws.send(bytes, { binary: true }),
    close: (code, reason) => ws.close(code, reason),
  });
}

/** The library's default `binaryType` hands every message over as one Buffer. */
function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Answers an upgrade that is refused as any other request is, with a problem document. */
function refuseUpgrade(socket: Duplex, error: unknown): void {
  const problem = toProblem(error);
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.kind}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
