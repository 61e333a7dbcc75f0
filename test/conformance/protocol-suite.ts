import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CLOSE, MAX_CONTROL_FRAME_BYTES, PING } from '#shared/protocol/control.ts';
import { Admin } from './admin.ts';
import { eventually } from './eventually.ts';
import { HostChannel } from './host-channel.ts';
import { TEST_TIMING, type Target } from './target.ts';
import { TEST_IMAGE, TestHost } from './test-host.ts';

/** The control channel's contract, run against a control plane that runs as a process of its own. */
export function protocolSuite(makeTarget: () => Promise<Target>): void {
  let target: Target;
  let admin: Admin;
  let count = 0;
  beforeAll(async () => {
    target = await makeTarget();
    admin = await Admin.bootstrap(target);
  });
  afterAll(() => target[Symbol.asyncDispose]());
  const newHost = (): Promise<TestHost> => TestHost.join(target, admin, `host-${(count += 1)}`);
  const newStack = (): string => `stack-${(count += 1)}`;

  describe('handshake', () => {
    test('a host that proves its key is welcomed and counts as ready', async () => {
      await using host = await newHost();
      expect((await admin.host(host.name)).state).toBe('joined');
      const channel = await host.dial();
      const challenge = await channel.next('challenge');
      expect(challenge.nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
      channel.send(await host.hello(challenge.nonce));
      const welcome = await channel.next('welcome');
      expect(welcome).toMatchObject({ protocol: 1, ackedSeq: 0, ...TEST_TIMING });
      await eventually(
        () => admin.host(host.name),
        ({ state }) => state === 'ready',
      );
      channel.terminate();
      await eventually(
        () => admin.host(host.name),
        ({ state }) => state === 'away',
      );
    });

    test('heartbeats are answered, before the hello too', async () => {
      await using host = await newHost();
      const channel = await host.dial();
      channel.send(PING);
      const pongs = await eventually(
        async () => channel.pongs,
        (answered) => answered > 0,
      );
      expect(pongs).toBe(1);
      channel.terminate();
    });

    const refusals: readonly {
      readonly what: string;
      readonly send: (host: TestHost, nonce: string) => Promise<string | object | Uint8Array>;
      readonly code: string;
      readonly close: number;
      readonly says?: RegExp;
    }[] = [
      {
        what: 'a signature of another challenge',
        send: (host) => host.hello('A'.repeat(43)),
        code: 'host.bad-signature',
        close: CLOSE.unauthenticated,
      },
      {
        what: 'a signature that is none',
        send: async (host, nonce) => ({ ...(await host.hello(nonce)), signature: 'AAAA' }),
        code: 'host.bad-signature',
        close: CLOSE.unauthenticated,
      },
      {
        what: 'the id of another host',
        send: async (host, nonce) => ({ ...(await host.hello(nonce)), hostId: '0'.repeat(20) }),
        code: 'host.unknown',
        close: CLOSE.unauthenticated,
      },
      {
        what: 'another protocol version',
        send: async (host, nonce) => ({ ...(await host.hello(nonce)), protocol: 2 }),
        code: 'protocol.version',
        close: CLOSE.protocol,
        says: /speaks protocol 2, this end speaks 1/,
      },
      {
        what: 'a message before the hello',
        send: async () => ({ kind: 'images', images: [] }),
        code: 'protocol.unexpected',
        close: CLOSE.protocol,
      },
      { what: 'no JSON', send: async () => 'hello?', code: 'protocol.malformed', close: CLOSE.protocol },
      {
        what: 'an unknown kind',
        send: async () => ({ kind: 'dance' }),
        code: 'protocol.malformed',
        close: CLOSE.protocol,
      },
      {
        what: 'a binary frame',
        send: async () => new Uint8Array([1, 2, 3]),
        code: 'protocol.malformed',
        close: CLOSE.protocol,
      },
      {
        what: 'a frame over the limit',
        send: async () => ' '.repeat(MAX_CONTROL_FRAME_BYTES + 1),
        code: 'protocol.frame-too-large',
        close: CLOSE.tooLarge,
      },
    ];
    test.each(refusals)('$what is refused by name', async ({ send, code, close, says = /./ }) => {
      await using host = await newHost();
      const channel = await host.dial();
      const { nonce } = await channel.next('challenge');
      const message = await send(host, nonce);
      if (message instanceof Uint8Array) channel.sendBytes(message);
      else channel.send(message);
      const refused = await channel.next('refused');
      expect(refused.code).toBe(code);
      expect(refused.message).toMatch(says);
      expect(await channel.closed).toEqual({ code: close, reason: code });
      expect((await admin.host(host.name)).state).toBe('joined');
    });

    test('an unknown host is refused', async () => {
      await using host = await newHost();
      const channel = await HostChannel.dial(target.url, '0'.repeat(20));
      const { nonce } = await channel.next('challenge');
      channel.send({ ...(await host.hello(nonce)), hostId: '0'.repeat(20) });
      expect((await channel.next('refused')).code).toBe('host.unknown');
      expect((await channel.closed).code).toBe(CLOSE.unauthenticated);
    });

    test('a connection without a hello is closed', async () => {
      await using host = await newHost();
      const channel = await host.dial();
      expect((await channel.closed).code).toBe(CLOSE.timeout);
    });

    test('a removed host is closed at once, and refused for good', async () => {
      await using host = await newHost();
      const channel = await host.connect();
      await admin.removeHost(host.name);
      expect((await channel.next('refused')).code).toBe('host.revoked');
      expect((await channel.closed).code).toBe(CLOSE.revoked);
      const again = await host.dial();
      const { nonce } = await again.next('challenge');
      again.send(await host.hello(nonce));
      expect((await again.next('refused')).code).toBe('host.revoked');
      expect((await again.closed).code).toBe(CLOSE.revoked);
    });

    test('a newer connection takes over, and the older one ending changes nothing', async () => {
      await using host = await newHost();
      const older = await host.connect();
      const newer = await host.connect();
      expect((await older.closed).code).toBe(CLOSE.replaced);
      newer.send({ kind: 'status', seq: 1, tasks: [] });
      expect((await newer.next('ack')).seq).toBe(1);
      expect((await admin.host(host.name)).state).toBe('ready');
    });
  });

  describe('assignments', () => {
    test('increments chained by digest while connected, the complete set for a host that holds something else', async () => {
      await using host = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await admin.apply(stack, composeOf({ replicas: 2 }));
      await host.until(channel, ({ tasks }) => tasks.length === 2);

      await admin.scale(stack, 'web', 5);
      const next = await channel.nextAssignment(host.assignment);
      expect(next.kind).toBe('increment');
      expect(next.version.generation).toBeGreaterThan(host.version.generation);
      ({ assignment: host.assignment, version: host.version } = next);
      await host.until(channel, ({ tasks }) => tasks.length === 5);
      channel.send({ kind: 'applied', version: host.version });
      await eventually(
        () => admin.host(host.name),
        ({ appliedGeneration }) => appliedGeneration === host.version.generation,
      );

      channel.terminate();
      host.forget();
      const again = await host.connect();
      const complete = await again.nextAssignment(host.assignment);
      expect(complete.kind).toBe('assignment');
      expect(complete.assignment.tasks).toHaveLength(5);
      ({ assignment: host.assignment, version: host.version } = complete);

      await admin.removeStack(stack);
      await host.until(again, ({ tasks }) => tasks.length === 0);
    });

    test('a host that holds the current version is sent nothing', async () => {
      await using host = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await admin.apply(stack, composeOf({ replicas: 1 }));
      await host.until(channel, ({ tasks }) => tasks.length === 1);
      channel.terminate();
      const again = await host.connect();
      again.send({ kind: 'status', seq: 1, tasks: [] });
      await again.next('ack'); // whatever the welcome brought would have come before it
      expect(again.waiting).toEqual([]);
      await admin.removeStack(stack);
    });

    test('a host whose content is not what was sent gets the complete set when it asks', async () => {
      await using host = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await admin.apply(stack, composeOf({ replicas: 3 }));
      await host.until(channel, ({ tasks }) => tasks.length === 3);
      channel.send({ kind: 'resync', have: `sha256:${'0'.repeat(64)}`, reason: 'a test lost its mind' });
      const complete = await channel.next('assignment');
      expect(complete.assignment.tasks).toHaveLength(3);
      expect(complete.version).toEqual(host.version);
      await admin.removeStack(stack);
    });

    test('a connection that is cut in the middle of an assignment: the complete set at the next', async () => {
      await using host = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await admin.apply(stack, composeOf({ replicas: 4 }));
      channel.terminate(); // what was on its way is lost; the host still holds the version before
      const again = await host.connect();
      const complete = await again.next('assignment');
      host.assignment = complete.assignment;
      host.version = complete.version;
      await host.until(again, ({ tasks }) => tasks.length === 4);
      expect(complete.version.generation).toBeGreaterThan(0);
      await admin.removeStack(stack);
    });
  });

  describe('status', () => {
    test('a batch is acknowledged once stored, and counts once however often it comes', async () => {
      await using host = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await admin.apply(stack, composeOf({ replicas: 1 }));
      await host.until(channel, ({ tasks }) => tasks.length === 1);
      const status = { kind: 'status', seq: 1, tasks: [statusOf(host, 'running')] };
      channel.send(status);
      expect((await channel.next('ack')).seq).toBe(1);
      channel.send(status);
      expect((await channel.next('ack')).seq).toBe(1);
      expect((await admin.tasks(stack)).map(({ state }) => state)).toEqual(['running']);
      const told = (await admin.events()).filter(
        ({ kind, subject }) => kind === 'task.running' && subject['stack'] === stack,
      );
      expect(told).toHaveLength(1);

      channel.terminate();
      const again = await host.dial();
      const { nonce } = await again.next('challenge');
      again.send(await host.hello(nonce));
      expect((await again.next('welcome')).ackedSeq).toBe(1);
      again.terminate();
      await admin.removeStack(stack);
    });

    test('a task that is rejected is replaced, and its host is told by an increment', async () => {
      await using host = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await admin.apply(stack, composeOf({ replicas: 1 }));
      await host.until(channel, ({ tasks }) => tasks.length === 1);
      const first = host.assignment.tasks[0]?.id;
      channel.send({ kind: 'status', seq: 1, tasks: [statusOf(host, 'failed')] });
      await host.until(channel, ({ tasks }) => tasks.some(({ epoch }) => epoch > 1));
      expect(host.assignment.tasks.map(({ id }) => id)).not.toContain(first);
      await admin.removeStack(stack);
    });
  });

  test(
    'a silent host is closed when its lease ends, and its tasks are replaced elsewhere',
    { timeout: 300_000 },
    async () => {
      await using silent = await newHost();
      const stack = newStack();
      const channel = await silent.connect();
      await admin.apply(stack, composeOf({ replicas: 2, onDisconnect: 'replace-after 1s' }));
      await silent.until(channel, ({ tasks }) => tasks.length === 2);
      await using other = await newHost();
      const otherChannel = await other.connect();
      channel.stopHeartbeats();
      expect((await channel.closed).code).toBe(CLOSE.timeout);
      // The socket closes first, the store is told after it.
      await eventually(
        () => admin.host(silent.name),
        ({ state }) => state === 'away',
      );
      await eventually(
        () => admin.host(silent.name),
        ({ state }) => state === 'down',
        120_000,
      );
      await other.until(otherChannel, ({ tasks }) => tasks.length === 2);
      await admin.removeStack(stack);
    },
  );

  test(
    'a control plane that was killed begins with empty memory, and all converge again',
    { timeout: 300_000 },
    async () => {
      await using host = await newHost();
      await using lost = await newHost();
      const stack = newStack();
      const channel = await host.connect();
      await lost.connect();
      await admin.apply(stack, composeOf({ replicas: 4, onDisconnect: 'keep' }));
      await host.until(channel, ({ tasks }) => tasks.length === 2);

      await target.crash();

      await channel.closed;
      const again = await host.connect();
      await admin.scale(stack, 'web', 10);
      await host.until(again, ({ tasks }) => tasks.length > 2);
      // The one that never came back is found by what the store says of it.
      await eventually(
        () => admin.host(lost.name),
        ({ state }) => state === 'away' || state === 'down',
      );
      expect((await admin.host(host.name)).state).toBe('ready');
      await admin.removeStack(stack);
    },
  );
}

function composeOf(options: { replicas: number; onDisconnect?: string }): string {
  const lines = [
    'services:',
    '  web:',
    `    image: ${TEST_IMAGE}`,
    '    deploy:',
    `      replicas: ${options.replicas}`,
  ];
  if (options.onDisconnect !== undefined) lines.push('    x-berth:', `      on_disconnect: ${options.onDisconnect}`);
  return lines.join('\n');
}

function statusOf(host: TestHost, state: string): object {
  const taskId = host.assignment.tasks[0]?.id;
  return { taskId, state, health: 'none', restarts: 0, message: 'told by a test', observedAtMs: Date.now() };
}
