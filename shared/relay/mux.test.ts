import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BerthError } from '../errors.ts';
import { dataCost, decodeFrame, encodeFrame } from './frame.ts';
import type { StreamHeader } from './header.ts';
import { RELAY_LIMITS, RelayLedger, type RelayLimits, type RelaySide } from './ledger.ts';
import { RelayMux } from './mux.ts';
import type { RelayStream } from './stream.ts';

const header: StreamHeader = { type: 'image-load' };

/** Two muxes joined by a ledger and a transport that delivers only when told to, in order in each direction. */
class Wire {
  readonly queues: Record<RelaySide, Uint8Array<ArrayBuffer>[]> = { client: [], host: [] };
  readonly ledger: RelayLedger;
  readonly muxes: Record<RelaySide, RelayMux>;
  readonly opened: RelayStream[] = [];
  readonly closes: string[] = [];
  /** DATA credit on its way, the most that ever was, by sender. */
  readonly most = { client: 0, host: 0 };

  constructor(limits: RelayLimits = RELAY_LIMITS, onOpen?: (stream: RelayStream) => void) {
    this.ledger = new RelayLedger(limits);
    const end = (side: RelaySide) =>
      new RelayMux(
        {
          send: (bytes) => {
            this.queues[side].push(bytes);
            const held = this.queues[side]
              .map(decodeFrame)
              .filter((frame) => frame.kind === 'data')
              .reduce((sum, frame) => sum + dataCost(frame.payload.byteLength), 0);
            this.most[side] = Math.max(this.most[side], held);
          },
          close: (code, reason) => this.closes.push(`${side} ${code} ${reason}`),
        },
        side,
        {
          limits,
          onOpen: (stream) => {
            this.opened.push(stream);
            onOpen?.(stream);
          },
        },
      );
    this.muxes = { client: end('client'), host: end('host') };
  }

  /** Delivers the oldest message of one direction. */
  step(from: RelaySide): boolean {
    const bytes = this.queues[from].shift();
    if (bytes === undefined) return false;
    this.ledger.pass(from, decodeFrame(bytes));
    this.muxes[from === 'client' ? 'host' : 'client'].receive(bytes);
    return true;
  }

  /** Delivers everything until nothing moves any more, letting readers run in between. */
  async settle(): Promise<void> {
    for (;;) {
      while (this.step('client') || this.step('host'));
      await new Promise(setImmediate);
      if (this.queues.client.length === 0 && this.queues.host.length === 0) return;
    }
  }
}

async function readAll(readable: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of readable) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

function openUnlessFull(mux: RelayMux): RelayStream | undefined {
  try {
    return mux.open(header);
  } catch (error) {
    if (error instanceof BerthError && error.code === 'relay.too-many-streams') return undefined;
    throw error;
  }
}

function last(streams: readonly RelayStream[]): RelayStream {
  const stream = streams.at(-1);
  if (stream === undefined) throw new Error('no stream was opened');
  return stream;
}

test('bytes, trailers and both directions arrive, each half on its own', async () => {
  const wire = new Wire();
  const stream = wire.muxes.client.open({ type: 'logs', taskId: '0'.repeat(20), follow: true, timestamps: false });
  const sent = stream.write(new Uint8Array(300_000).fill(7)).then(() => stream.end({ done: true }));
  await wire.settle();
  const far = last(wire.opened);
  expect(far.header).toMatchObject({ type: 'logs', follow: true });
  const received = readAll(far.readable);
  await wire.settle();
  await sent;
  expect((await received).byteLength).toBe(300_000);
  expect(await far.finished).toEqual({ done: true });
  await far.write(new TextEncoder().encode('answer'));
  await far.end({ exitCode: 3 });
  await wire.settle();
  expect(new TextDecoder().decode(await readAll(stream.readable))).toBe('answer');
  expect(await stream.finished).toEqual({ exitCode: 3 });
  await expect(stream.write(new Uint8Array(1))).rejects.toThrow('stream 1 was ended before');
});

test('whatever the order of delivery: exactly what was written arrives, never more than the window is on its way', async () => {
  const limits: RelayLimits = { streamWindowBytes: 1024, connectionWindowBytes: 2048, maxStreams: 8 };
  const write = fc.record({
    side: fc.constantFrom<RelaySide>('client', 'host'),
    lengths: fc.array(fc.nat(3000), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 8 }), fc.infiniteStream(fc.boolean()), async (plans, coins) => {
      const wire = new Wire(limits);
      const written = { client: [] as number[][], host: [] as number[][] };
      const reads: Promise<Uint8Array>[] = [];
      const expected: Uint8Array[] = [];
      const writes: Promise<void>[] = [];
      for (const { side, lengths } of plans) {
        if (written[side].length >= limits.maxStreams / 2) continue;
        written[side].push(lengths);
        const stream = wire.muxes[side].open(header);
        writes.push(stream.end());
        const other = side === 'client' ? 'host' : 'client';
        while (wire.step(side) || wire.step(other));
        const far = last(wire.opened);
        const parts = lengths.map((length, index) => new Uint8Array(length).fill(index + 1));
        expected.push(new Uint8Array(Buffer.concat(parts)));
        writes.push(...parts.map((part) => far.write(part)), far.end({ length: lengths.length }));
        reads.push(readAll(stream.readable));
      }
      const all = Promise.all([...writes, ...reads]);
      let moving = true;
      while (moving) {
        const [first] = coins;
        moving = first === true ? wire.step('client') || wire.step('host') : wire.step('host') || wire.step('client');
        if (!moving) {
          await new Promise(setImmediate);
          moving = wire.queues.client.length + wire.queues.host.length > 0;
        }
      }
      await all;
      expect(await Promise.all(reads)).toEqual(expected);
      expect(Math.max(wire.most.client, wire.most.host)).toBeLessThanOrEqual(limits.connectionWindowBytes);
      expect(wire.closes).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test('resets, cancels and ends that cross in flight never break the rules of the ledger', async () => {
  const limits: RelayLimits = { streamWindowBytes: 1024, connectionWindowBytes: 4096, maxStreams: 4 };
  const action = fc.record({
    side: fc.constantFrom<RelaySide>('client', 'host'),
    what: fc.constantFrom('open', 'write', 'end', 'reset', 'cancel', 'read', 'deliver', 'deliver', 'deliver'),
    which: fc.nat(20),
    length: fc.integer({ min: 1, max: 2000 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 120 }), async (actions) => {
      const wire = new Wire(limits);
      const own: Record<RelaySide, RelayStream[]> = { client: [], host: [] };
      for (const { side, what, which, length } of actions) {
        const all = [...own[side], ...wire.opened.filter((stream) => (stream.id % 2 === 1) === (side === 'host'))];
        const stream = all[which % Math.max(all.length, 1)];
        if (what === 'deliver') wire.step(side);
        else if (what === 'open') {
          const opened = openUnlessFull(wire.muxes[side]);
          if (opened !== undefined) own[side].push(opened);
        } else if (stream === undefined) continue;
        else if (what === 'write') void stream.write(new Uint8Array(length)).catch(() => {});
        else if (what === 'end') void stream.end().catch(() => {});
        else if (what === 'reset') stream.reset(new BerthError('unavailable', 'test.reset', 'given up'));
        else if (what === 'cancel' && !stream.readable.locked) void stream.readable.cancel().catch(() => {});
        else if (what === 'read' && !stream.readable.locked) {
          const reader = stream.readable.getReader();
          void reader
            .read()
            .catch(() => {})
            .finally(() => reader.releaseLock());
        }
        if (which % 5 === 0) await new Promise(setImmediate);
      }
      await wire.settle();
      expect(wire.closes).toEqual([]);
      for (const stream of [...own.client, ...own.host]) stream.reset(new BerthError('unavailable', 'test.end', 'end'));
      await wire.settle();
      expect(wire.closes).toEqual([]);
      // Everything is over and all credit came back: full-size streams work again.
      const fresh = wire.muxes.client.open(header);
      const body = fresh.write(new Uint8Array(20_000)).then(() => fresh.end());
      await wire.settle();
      const received = readAll(last(wire.opened).readable);
      await wire.settle();
      await body;
      expect((await received).byteLength).toBe(20_000);
    }),
    { numRuns: 150 },
  );
});

test('a stalled reader stalls its own stream only, and its writer keeps no more than the window', async () => {
  const wire = new Wire();
  const stalled = wire.muxes.client.open(header);
  let sentBytes = 0;
  void (async () => {
    for (;;) {
      await stalled.write(new Uint8Array(64 * 1024));
      sentBytes += 64 * 1024;
    }
  })().catch(() => {});
  await wire.settle();
  expect(sentBytes).toBeLessThanOrEqual(RELAY_LIMITS.streamWindowBytes);
  const free = wire.muxes.client.open(header);
  const body = free.write(new Uint8Array(5_000_000)).then(() => free.end());
  await wire.settle();
  const received = readAll(last(wire.opened).readable);
  await wire.settle();
  await body;
  expect((await received).byteLength).toBe(5_000_000);
  expect(sentBytes).toBeLessThanOrEqual(RELAY_LIMITS.streamWindowBytes);
});

test('streams that write at once take turns', async () => {
  const wire = new Wire();
  const order: number[] = [];
  const streams = [0, 1, 2, 3].map(() => wire.muxes.client.open(header));
  await wire.settle();
  const bodies = streams.map((stream) => stream.write(new Uint8Array(1_000_000)));
  const reads = wire.opened.map(async (stream) => {
    for await (const part of stream.readable) {
      if (part.byteLength > 0) order.push(stream.id);
    }
  });
  await wire.settle();
  await Promise.all(bodies);
  for (const stream of streams) void stream.end();
  await wire.settle();
  await Promise.all(reads);
  const middle = order.slice(order.length / 2, order.length / 2 + 16);
  expect(new Set(middle).size).toBe(4);
});

test('a reader that goes away resets the stream, and the writer learns why', async () => {
  const wire = new Wire();
  const stream = wire.muxes.client.open(header);
  const body = stream.write(new Uint8Array(1_000_000));
  await wire.settle();
  const failure = body.catch((error: unknown) => error);
  await last(wire.opened).readable.cancel();
  await wire.settle();
  expect(await failure).toMatchObject({ code: 'relay.cancelled' });
  await expect(stream.finished).rejects.toMatchObject({ code: 'relay.cancelled' });
});

test('a reset carries kind, code, message and remedy', async () => {
  const wire = new Wire(RELAY_LIMITS, (stream) => {
    stream.reset(new BerthError('not-found', 'task.unknown', 'no task x', { remedy: 'See `berth ps`.' }));
  });
  const stream = wire.muxes.client.open(header);
  await wire.settle();
  await expect(stream.finished).rejects.toMatchObject({
    kind: 'not-found',
    code: 'task.unknown',
    message: 'no task x',
    remedy: 'See `berth ps`.',
  });
});

test('a stream that is given up after its end was sent aborts at the other end', async () => {
  const wire = new Wire();
  const stream = wire.muxes.client.open(header);
  await stream.end();
  await wire.settle();
  const far = last(wire.opened);
  expect(await far.finished).toBeUndefined();
  expect(far.signal.aborted).toBe(false);
  stream.reset(new BerthError('unavailable', 'test.gone', 'gone'));
  await wire.settle();
  expect(far.signal.reason).toMatchObject({ code: 'test.gone' });
  await expect(far.write(new Uint8Array(1))).rejects.toMatchObject({ code: 'test.gone' });
});

test('what was ended whole stays readable after the connection is lost; what was not is lost', async () => {
  const wire = new Wire();
  const whole = wire.muxes.client.open(header);
  const broken = wire.muxes.client.open(header);
  void whole.write(new TextEncoder().encode('all of it'));
  void whole.end({ ok: true });
  void broken.write(new TextEncoder().encode('a part'));
  await wire.settle();
  const [farWhole, farBroken] = wire.opened;
  wire.muxes.host.lost(new BerthError('unavailable', 'relay.lost', 'the cable was pulled'));
  expect(await readAll(farWhole?.readable ?? new ReadableStream())).toHaveLength(9);
  expect(await farWhole?.finished).toEqual({ ok: true });
  await expect(readAll(farBroken?.readable ?? new ReadableStream())).rejects.toThrow('the cable was pulled');
  await expect(wire.muxes.host.closed).rejects.toThrow('the cable was pulled');
});

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const u32 = (value: number) => new Uint8Array([value >>> 24, value >>> 16, value >>> 8, value]);
const opened = encodeFrame('open', 1, json(header));

test.each<[string, Uint8Array<ArrayBuffer>[], RegExp]>([
  ['DATA on a stream never opened', [encodeFrame('data', 9, json(1))], /DATA on stream 9, which was never opened/],
  ['a stream of the wrong parity', [encodeFrame('open', 2, json(header))], /the client may not open stream 2/],
  ['a header that is no JSON', [encodeFrame('open', 1, new Uint8Array([1]))], /a payload of OPEN that is not JSON/],
  [
    'a header of no known type',
    [encodeFrame('open', 1, json({ type: 'dance' }))],
    /a header that is none of this protocol/,
  ],
  ['empty DATA', [opened, encodeFrame('data', 1, new Uint8Array())], /empty DATA on stream 1/],
  [
    'DATA after END',
    [opened, encodeFrame('end', 1, json({})), encodeFrame('data', 1, json(1))],
    /after it had finished it/,
  ],
  ['a WINDOW of three bytes', [opened, encodeFrame('window', 1, new Uint8Array(3))], /a WINDOW of 3 bytes/],
  ['a WINDOW that is too small', [opened, encodeFrame('window', 1, u32(5))], /a WINDOW of only 5/],
  ['a grant over the window', [opened, encodeFrame('window', 0, u32(1 << 30))], /more than it received/],
  [
    'DATA over the credit',
    [opened, ...[0, 1, 2, 3].map(() => encodeFrame('data', 1, new Uint8Array(65_536)))],
    /sent DATA that costs 65600 on stream 1 with a credit of 65344/,
  ],
  [
    'too many streams',
    Array.from({ length: 33 }, (_, index) => encodeFrame('open', 1 + 2 * index, json(header))),
    /the client has 32 streams open and opens stream 65/,
  ],
  ['a RESET without a code', [opened, encodeFrame('reset', 1, json({}))], /a RESET without kind, code and message/],
  ['a frame without a header', [new Uint8Array([1, 0])], /a frame of 2 bytes has no header/],
  ['an unknown kind', [new Uint8Array([9, 0, 0, 0, 1])], /unknown frame kind 9/],
])('%s closes the relay and says so', async (_name, frames, text) => {
  const closes: string[] = [];
  const mux = new RelayMux({ send: () => {}, close: (code, reason) => closes.push(`${code} ${reason}`) }, 'host', {
    onOpen: () => {},
  });
  for (const frame of frames) mux.receive(frame);
  expect(closes).toHaveLength(1);
  expect(closes[0]).toMatch(/^4400 relay: /);
  await expect(mux.closed).rejects.toThrow(text);
});
