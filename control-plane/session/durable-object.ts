import type {
  DurableObjectNamespace,
  DurableObjectState,
  WebSocket as ObjectWebSocket,
  WebSocketRequestResponsePair as AutoResponse,
} from '@cloudflare/workers-types';
import { sha256 } from '#shared/digest.ts';
import { errorText } from '#shared/errors.ts';
import { PING, PONG } from '#shared/protocol/control.ts';
import type { RelaySide } from '#shared/relay/ledger.ts';
import { problemResponse } from '../problem-response.ts';
import { createCluster } from '../store/cluster-store.ts';
import { migrate } from '../store/migrate.ts';
import { openRemote } from '../store/remote.ts';
import { ClusterHub } from './hub.ts';
import { answerHubRequest } from './hub-request.ts';
import { ObjectAlarm } from './object-alarm.ts';
import { ObjectHostSockets } from './object-host-sockets.ts';
import { redeemTicket, type RelayDirectory, type RelayTickets } from './relay-tickets.ts';
import { Relay } from './relay.ts';
import { hubTiming } from './timing.ts';
import { isUpgrade, noSuchChannel, relayToken, upgradeRoute } from './upgrade-route.ts';

declare const WebSocketPair: new () => { readonly 0: ObjectWebSocket; readonly 1: ObjectWebSocket };
declare const WebSocketRequestResponsePair: new (request: string, response: string) => AutoResponse;

/** How soon the work of an alarm that failed is tried again, in milliseconds. */
const ALARM_RETRY_MS = 5_000;

/** What `wrangler.toml` and the operator's secrets bind. */
export interface WorkerEnvironment {
  readonly CLUSTER: DurableObjectNamespace;
  readonly RELAY: DurableObjectNamespace;
  /** A libSQL server: `libsql://…` or `https://…`. */
  readonly LIBSQL_URL: string;
  readonly LIBSQL_TOKEN?: string;
  readonly BOOTSTRAP_SECRET?: string;
  /** How often hosts send a heartbeat, and how long they count as connected after one, in milliseconds. */
  readonly HEARTBEAT_MS?: string;
  readonly LEASE_MS?: string;
}

/**
 * The hub of one cluster. The runtime may evict it from memory while its hosts stay connected, and answers their
 * heartbeats without waking it; `ClusterHub` keeps nothing in memory that it cannot do without.
 */
export class ClusterObject {
  readonly #state: DurableObjectState;
  readonly #sockets: ObjectHostSockets;
  readonly #alarm: ObjectAlarm;
  readonly #hub: ClusterHub;
  readonly #migrate: () => Promise<void>;
  #readiness: Promise<void> | undefined;

  constructor(state: DurableObjectState, env: WorkerEnvironment) {
    this.#state = state;
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    const database = openRemote({ url: env.LIBSQL_URL, authToken: env.LIBSQL_TOKEN });
    this.#migrate = () => migrate(database);
    this.#sockets = new ObjectHostSockets(state);
    this.#alarm = new ObjectAlarm(state);
    this.#hub = new ClusterHub({
      cluster: createCluster({ database, clock: Date.now }),
      clock: Date.now,
      sockets: this.#sockets,
      alarm: this.#alarm,
      relays: relayObjects(env.RELAY),
      timing: hubTiming(milliseconds(env.HEARTBEAT_MS), milliseconds(env.LEASE_MS)),
      log: (line) => console.log(line),
    });
  }

  async fetch(request: Request): Promise<Response> {
    try {
      await this.#ready();
      if (!isUpgrade(request)) return await answerHubRequest(this.#hub, request);
      const { pathname } = new URL(request.url);
      const route = upgradeRoute(pathname);
      if (route?.kind !== 'channel') throw noSuchChannel(pathname);
      const pair = new WebSocketPair();
      this.#hub.opened(this.#sockets.accept(pair[1], route.hostId), route.hostId);
      return switchingProtocols(pair[0]);
    } catch (error) {
      return problemResponse(error);
    }
  }

  async webSocketMessage(ws: ObjectWebSocket, message: string | ArrayBuffer): Promise<void> {
    const socket = this.#sockets.of(ws);
    try {
      await this.#ready();
      if (typeof message === 'string') await this.#hub.received(socket, message);
      else await this.#hub.receivedBinary(socket);
    } catch (error) {
      // The runtime leaves the socket open when this throws; the host must learn that it was not heard.
      console.log(`host ${socket.session.hostId}: ${errorText(error)}`);
      socket.close(1011, 'the control plane failed');
    }
  }

  async webSocketClose(ws: ObjectWebSocket): Promise<void> {
    const socket = this.#sockets.of(ws);
    socket.close(1000, '');
    await this.#ready();
    await this.#hub.closed(socket);
  }

  async webSocketError(ws: ObjectWebSocket): Promise<void> {
    await this.webSocketClose(ws);
  }

  /** The runtime repeats an alarm that throws a few times only, and then there is none: it is always set anew here. */
  async alarm(): Promise<void> {
    this.#alarm.rang();
    try {
      await this.#ready();
      await this.#hub.wake();
    } catch (error) {
      console.log(`the alarm's work failed, next try in ${ALARM_RETRY_MS} ms: ${errorText(error)}`);
      this.#alarm.ensure(Date.now() + ALARM_RETRY_MS);
    }
  }

  /** Migrates once per memory; a first start, and one after a reset that lost the alarm, converges. */
  #ready(): Promise<void> {
    this.#readiness ??= this.#prepare().catch((error: unknown) => {
      this.#readiness = undefined; // the next request tries again
      throw error;
    });
    return this.#readiness;
  }

  async #prepare(): Promise<void> {
    await this.#migrate();
    if ((await this.#state.storage.getAlarm()) === null) await this.#hub.start();
  }
}

/** One relay. Its tickets are stored, so that it may be evicted before anyone has dialled; its frames are not. */
export class RelayObject {
  readonly #state: DurableObjectState;
  #relay: Relay | undefined;

  constructor(state: DurableObjectState) {
    this.#state = state;
  }

  async fetch(request: Request): Promise<Response> {
    const { storage } = this.#state;
    try {
      if (!isUpgrade(request)) {
        const tickets = (await request.json()) as RelayTickets;
        await storage.put('tickets', tickets);
        await storage.setAlarm(tickets.expiresAtMs);
        return new Response(null, { status: 204 });
      }
      const hash = await sha256(relayToken(request.headers.get('authorization')));
      const { side, rest } = redeemTicket(await storage.get<RelayTickets>('tickets'), hash, Date.now());
      await storage.put('tickets', rest);
      return switchingProtocols(this.#join(side));
    } catch (error) {
      return problemResponse(error);
    }
  }

  async alarm(): Promise<void> {
    if (this.#relay === undefined) await this.#state.storage.deleteAll();
    else this.#relay.dialTimeOver();
  }

  #join(side: RelaySide): ObjectWebSocket {
    const pair = new WebSocketPair();
    const socket = pair[1];
    socket.binaryType = 'arraybuffer'; // the platform's default is a Blob, whose bytes come later and out of order
    socket.accept();
    this.#relay ??= new Relay(() => {
      this.#state.waitUntil(this.#state.storage.deleteAll());
    });
    const relay = this.#relay;
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') relay.receivedText();
      else relay.received(side, new Uint8Array(data));
    });
    socket.addEventListener('close', ({ code }) => relay.closed(side, code));
    socket.addEventListener('error', () => relay.closed(side, 1006));
    relay.attach(side, {
      send: (bytes) => socket.send(bytes),
      close: (code, reason) => socket.close(code, reason),
    });
    return pair[0];
  }
}

function relayObjects(namespace: DurableObjectNamespace): RelayDirectory {
  return {
    async create(relayId, tickets) {
      const relay = namespace.get(namespace.idFromName(relayId));
      const response = await relay.fetch('https://relay/', { method: 'POST', body: JSON.stringify(tickets) });
      if (!response.ok) throw new Error(`relay ${relayId}: its object answered ${response.status}`);
    },
  };
}

function milliseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

function switchingProtocols(webSocket: ObjectWebSocket): Response {
  return new Response(null, { status: 101, webSocket } as ResponseInit);
}
