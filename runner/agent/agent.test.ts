import { createPublicKey, verify } from 'node:crypto';
import { mkdtempDisposable } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { fromBase64Url } from '#shared/bytes.ts';
import { assignmentDigest, diffAssignment, type Assignment } from '#shared/model/assignment.ts';
import type { TaskStatus } from '#shared/model/task.ts';
import {
  challengeText,
  CLOSE,
  fromHost,
  MAX_CONTROL_FRAME_BYTES,
  type FromHost,
  type ToHost,
} from '#shared/protocol/control.ts';
import { openRunnerDatabase } from '../database.ts';
import { createImageStore } from '../image/local-store.ts';
import { createLog } from '../log.ts';
import { hostFacts } from '../os/facts.ts';
import { createReconciler } from '../reconcile/loop.ts';
import type { Reconciler } from '../reconcile/reconciler.ts';
import { runAgent } from './agent.ts';
import { generateKey, type Identity } from './identity.ts';
import { engineWithout } from '../../test/support/engine-without.ts';

const hostId = '0123456789abcdefghjk';

/** The far end of the control channel, as far as a test wants to play it. */
class FarEnd implements AsyncDisposable {
  readonly #server = createServer();
  readonly #sockets = new WebSocketServer({ server: this.#server, maxPayload: MAX_CONTROL_FRAME_BYTES });
  readonly connections: WebSocket[] = [];
  readonly received: FromHost[] = [];
  readonly closes: { code: number; reason: string }[] = [];
  readonly nonce = 'A'.repeat(43);
  pings = 0;
  url = '';
  /** What each new connection is sent at once. */
  greet = (socket: WebSocket) => this.send({ kind: 'challenge', protocol: 1, nonce: this.nonce }, socket);
  /** What a hello is answered with. */
  welcome = (socket: WebSocket) => {
    const times = { heartbeatMs: 20, leaseMs: 5000 };
    this.send(
      { kind: 'welcome', protocol: 1, sessionId: 's', ackedSeq: this.stored.at(-1)?.seq ?? 0, ...times },
      socket,
    );
  };
  /** Status batches, as a control plane would store them. */
  readonly stored: { seq: number; tasks: TaskStatus[] }[] = [];
  acknowledges = true;

  async listen(): Promise<this> {
    this.#sockets.on('connection', (socket) => {
      this.connections.push(socket);
      socket.on('close', (code, reason) => this.closes.push({ code, reason: reason.toString() }));
      socket.on('message', (data) => this.#take(socket, (data as Buffer).toString()));
      this.greet(socket);
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  send(message: ToHost | object, socket = this.connections.at(-1)): void {
    socket?.send(JSON.stringify(message));
  }

  last<Kind extends FromHost['kind']>(kind: Kind): Extract<FromHost, { kind: Kind }> | undefined {
    return this.received.findLast((message): message is Extract<FromHost, { kind: Kind }> => message.kind === kind);
  }

  #take(socket: WebSocket, text: string): void {
    if (text === 'ping') {
      this.pings += 1;
      socket.send('pong');
      return;
    }
    const message = fromHost.parse(JSON.parse(text));
    this.received.push(message);
    if (message.kind === 'hello') this.welcome(socket);
    if (message.kind !== 'status') return;
    if (message.seq > (this.stored.at(-1)?.seq ?? 0)) this.stored.push(message);
    if (this.acknowledges) this.send({ kind: 'ack', seq: message.seq }, socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.connections) socket.terminate();
    this.#sockets.close();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** A real reconciler, outbox and image store on a data root, with an engine that has no container. */
class Host implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly stop = new AbortController();
  readonly statusListeners = new Set<(changed: readonly TaskStatus[]) => void>();
  readonly #stack = new AsyncDisposableStack();
  identity: Identity | undefined;
  reconciler: Reconciler | undefined;
  agent: Promise<void> = Promise.resolve();

  static async start(url: string): Promise<Host> {
    const host = new Host();
    const directory = host.#stack.use(await mkdtempDisposable(join(tmpdir(), 'berth-agent-')));
    const database = openRunnerDatabase(join(directory.path, 'runner.db'));
    host.#stack.defer(() => database.close());
    const images = await createImageStore({
      database,
      directory: join(directory.path, 'images'),
      unpackBinary: '/nowhere',
    });
    const engine = engineWithout();
    const reconciler = await createReconciler({ database, engine, images, clock: Date.now });
    host.reconciler = reconciler;
    host.identity = { state: 'joined', key: generateKey(), hostId, name: 'kiel', url };
    const { signal } = host.stop;
    // What the reconciler would observe, said by the test.
    const told: Reconciler = {
      version: () => reconciler.version(),
      applyComplete: (version, assignment) => reconciler.applyComplete(version, assignment),
      applyIncrement: (version, increment) => reconciler.applyIncrement(version, increment),
      statuses: () => [],
      setLease: (expiresAtMs) => reconciler.setLease(expiresAtMs),
      run: (options) => reconciler.run(options),
      onStatus: (listener) => {
        host.statusListeners.add(listener);
        return { [Symbol.dispose]: () => void host.statusListeners.delete(listener) };
      },
    };
    host.agent = runAgent(
      {
        identity: host.identity,
        facts: await hostFacts([]),
        database,
        engine,
        images,
        reconciler: told,
        log: createLog('text', (line) => host.lines.push(line)),
        random: () => 0.02,
        refusedRetryMs: 100,
        handshakeTimeoutMs: 2000,
      },
      { signal },
    );
    host.#stack.defer(async () => {
      host.stop.abort();
      await host.agent;
    });
    return host;
  }

  observe(...changed: TaskStatus[]): void {
    for (const listener of this.statusListeners) listener(changed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function status(task: number, restarts = 0): TaskStatus {
  const taskId = String(task).padStart(20, '0');
  return { taskId, state: 'running', health: 'none', restarts, message: '', observedAtMs: 0 };
}

function assigned(...ids: number[]): Assignment {
  return {
    tasks: ids.map((id) => ({
      id: String(id).padStart(20, '0'),
      stack: 'hello',
      service: 'web',
      serviceId: 's'.repeat(20),
      slot: id,
      epoch: 1,
      container: { image: 'hello', environment: {}, labels: {}, ports: [], restart: { kind: 'no' } },
      onDisconnect: { kind: 'keep' },
    })),
  };
}

async function assignment(generation: number, content: Assignment): Promise<ToHost> {
  const version = { generation, digest: await assignmentDigest(content) };
  return { kind: 'assignment', version, assignment: content };
}

test('it proves its key, says what it holds, applies complete sets and increments, and beats', async () => {
  await using far = await new FarEnd().listen();
  await using host = await Host.start(far.url);
  await expect.poll(() => far.pings).toBeGreaterThan(2);
  const hello = far.last('hello');
  expect(hello).toMatchObject({ hostId, version: { generation: 0 }, images: [] });
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: host.identity?.key.x ?? '' } });
  const signature = fromBase64Url(hello?.signature ?? '') ?? new Uint8Array();
  expect(verify(null, Buffer.from(challengeText(hostId, far.nonce)), key, signature)).toBe(true);

  const first = assigned(1, 2);
  far.send(await assignment(4, first));
  await expect.poll(() => far.last('applied')?.version.generation).toBe(4);
  const second = assigned(2, 3);
  const version = { generation: 5, digest: await assignmentDigest(second) };
  far.send({ kind: 'increment', version, increment: await diffAssignment(first, second) });
  await expect.poll(() => far.last('applied')?.version).toEqual(version);
  far.send({
    kind: 'increment',
    version: { ...version, generation: 6 },
    increment: await diffAssignment(first, second),
  });
  await expect.poll(() => far.last('resync')).toMatchObject({ have: version.digest });
  expect(host.reconciler?.version()).toEqual(version);
});

test('another protocol version is answered with both versions, logged, and tried again only slowly', async () => {
  await using far = await new FarEnd().listen();
  far.greet = (socket) => far.send({ kind: 'challenge', protocol: 2, nonce: far.nonce }, socket);
  await using host = await Host.start(far.url);
  await expect.poll(() => far.connections.length).toBe(2);
  const text = 'control channel: the peer speaks protocol 2, this end speaks 1';
  expect(far.closes[0]).toEqual({ code: CLOSE.protocol, reason: text });
  expect(host.lines[0]).toContain('the control plane refused this host');
  expect(host.lines[0]).toContain(text);
  expect(host.lines[0]).toContain('retryInMs=100');
});

test('an unknown kind, a message out of turn and a frame over the limit end the connection with the reason', async () => {
  await using far = await new FarEnd().listen();
  const bad = [
    (socket: WebSocket) => far.send({ kind: 'dance' }, socket),
    (socket: WebSocket) => far.send({ kind: 'ack', seq: 1 }, socket),
    (socket: WebSocket) => socket.send('x'.repeat(MAX_CONTROL_FRAME_BYTES + 1)),
    (socket: WebSocket) => socket.send(new Uint8Array(3)),
  ];
  far.greet = (socket) => bad[far.connections.length - 1]?.(socket);
  await using host = await Host.start(far.url);
  await expect.poll(() => host.lines.length).toBe(4);
  expect(host.lines[0]).toContain('a message of kind \\"dance\\" is not one of protocol 1');
  expect(host.lines[1]).toContain('a ack in state');
  expect(host.lines[2]).toContain('a frame over the limit of 8388608 bytes');
  expect(host.lines[3]).toContain('a binary frame');
});

test('a host that was removed does not come back, and says what to do', async () => {
  await using far = await new FarEnd().listen();
  far.welcome = (socket) => {
    far.send({ kind: 'refused', code: 'host.revoked', message: 'the host kiel was removed' }, socket);
    socket.close(CLOSE.revoked, 'host.revoked');
  };
  await using host = await Host.start(far.url);
  await host.agent;
  expect(far.connections.length).toBe(1);
  expect(host.lines.join('')).toContain('its containers keep running');
  expect(host.lines.join('')).toContain('the host kiel was removed (host.revoked)');
  expect(host.lines.join('')).toContain('berth runner join URL --token T');
});

test('a connection cut in the middle of an assignment leaves the old one whole; the next connection brings the new', async () => {
  await using far = await new FarEnd().listen();
  await using host = await Host.start(far.url);
  await expect.poll(() => far.last('hello')).toBeDefined();
  far.send(await assignment(1, assigned(1)));
  await expect.poll(() => far.last('applied')).toBeDefined();
  const next = await assignment(2, assigned(...Array.from({ length: 2000 }, (_, index) => index + 1)));
  const socket = far.connections.at(-1);
  // The first half of a text frame of two fragments, then nothing.
  socket?.send(JSON.stringify(next).slice(0, 100_000), { fin: false }, () => socket.terminate());
  await expect.poll(() => far.connections.length).toBe(2);
  await expect.poll(() => far.received.filter(({ kind }) => kind === 'hello').length).toBe(2);
  expect(far.last('hello')?.version.generation).toBe(1);
  far.send(next);
  await expect.poll(() => far.last('applied')?.version.generation).toBe(2);
  expect(host.reconciler?.version().generation).toBe(2);
});

test('no status is lost over cut connections and lost acknowledgements, and what was stored is not told again', async () => {
  await using far = await new FarEnd().listen();
  await using host = await Host.start(far.url);
  await expect.poll(() => far.pings).toBeGreaterThan(0);
  for (let round = 1; round <= 30; round += 1) {
    far.acknowledges = round % 3 !== 0;
    host.observe(status(round % 5, round), status(100 + round));
    if (round % 4 === 0) far.connections.at(-1)?.terminate();
    await new Promise(setImmediate);
  }
  far.acknowledges = true;
  far.connections.at(-1)?.terminate();
  const newest = () => new Map(far.stored.flatMap(({ tasks }) => tasks).map((task) => [task.taskId, task.restarts]));
  await expect.poll(() => newest().size).toBe(35);
  expect([0, 1, 2, 3, 4].map((task) => newest().get(status(task).taskId))).toEqual([30, 26, 27, 28, 29]);
  expect(far.stored.map(({ seq }) => seq)).toEqual(far.stored.map((_, index) => index + 1));
});

test('a control plane that falls silent is given up, and the lease is not prolonged', async () => {
  await using far = await new FarEnd().listen();
  await using host = await Host.start(far.url);
  await expect.poll(() => far.pings).toBeGreaterThan(0);
  const [first] = far.connections;
  first?.pause(); // half open: nothing is read, nothing answered
  await expect.poll(() => far.connections.length).toBe(2);
  expect(host.lines.join('')).toContain('heartbeats are not answered');
});
