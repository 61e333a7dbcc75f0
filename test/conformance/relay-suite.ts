import { afterAll, beforeAll, expect, test } from 'vitest';
import { CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES } from '#shared/relay/frame.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import { Admin } from './admin.ts';
import { eventually } from './eventually.ts';
import type { HostChannel } from './host-channel.ts';
import { dialRelay, refusedDial } from './relay-end.ts';
import { residentBytes } from './resident-memory.ts';
import type { Target } from './target.ts';
import { TestHost } from './test-host.ts';

const LOAD_BYTES = 200 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
/**
 * How much a control plane may grow while 200 MB pass through it: its windows are about 2 MiB, the rest is what a garbage
 * collector leaves until it is pressed. A relay that buffered would hold all of it.
 */
const GROWTH_BYTES = 64 * 1024 * 1024;
/** What passes before the growth is measured, so that code, buffers and heap are warm. */
const WARM_BYTES = 40 * 1024 * 1024;

/** The relay's contract, run against a control plane that runs as a process of its own. */
export function relaySuite(makeTarget: () => Promise<Target>): void {
  let target: Target;
  let admin: Admin;
  let host: TestHost;
  let channel: HostChannel;
  beforeAll(async () => {
    target = await makeTarget();
    admin = await Admin.bootstrap(target);
    host = await TestHost.join(target, admin, 'relay-host');
    channel = await host.connect();
  });
  afterAll(async () => {
    channel.terminate();
    await target[Symbol.asyncDispose]();
  });

  /** Both ends' grants of a new relay. */
  async function newRelay() {
    const client = await admin.openRelay({ type: 'image-load', host: host.name });
    const order = await channel.next('relay');
    expect(order).toMatchObject({ relayId: client.relayId, path: client.path, grant: { type: 'image-load' } });
    return { client, host: order };
  }

  test('200 MB pass through, and the control plane does not grow by more than its windows', async () => {
    const relay = await newRelay();
    const accepted = Promise.withResolvers<RelayStream>();
    await using hostEnd = ended(await dialRelay(target.url, relay.host, 'host', { onOpen: accepted.resolve }));
    await using clientEnd = ended(await dialRelay(target.url, relay.client, 'client'));
    const idle = await residentBytes(target.pid);
    let warm = idle;
    let highest = 0;
    const stream = clientEnd.mux.open({ type: 'image-load' });
    const received = await accepted.promise;
    const reading = countBytes(received);
    const chunk = new Uint8Array(CHUNK_BYTES).fill(7);
    for (let sent = 0; sent < LOAD_BYTES; sent += CHUNK_BYTES) {
      await stream.write(chunk);
      if (sent <= WARM_BYTES) warm = Math.max(warm, await residentBytes(target.pid));
      else if (sent % (10 * CHUNK_BYTES) === 0) highest = Math.max(highest, await residentBytes(target.pid));
    }
    await stream.end();
    expect(await reading).toBe(LOAD_BYTES);
    await received.end({ images: [] });
    expect(await stream.finished).toEqual({ images: [] });
    const [at, after, most] = [idle, warm, highest].map(mebibytes);
    console.log(`${target.kind}: resident ${at} MiB idle, ${after} MiB after 40 MiB, then ${most} MiB at most`);
    expect(highest - warm).toBeLessThan(GROWTH_BYTES);
    void hostEnd;
  });

  test('a reader that stalls stalls the sender, and nothing is lost when it goes on', async () => {
    const relay = await newRelay();
    const accepted = Promise.withResolvers<RelayStream>();
    await using hostEnd = ended(await dialRelay(target.url, relay.host, 'host', { onOpen: accepted.resolve }));
    await using clientEnd = ended(await dialRelay(target.url, relay.client, 'client'));
    const stream = clientEnd.mux.open({ type: 'image-load' });
    const received = await accepted.promise;
    let written = 0;
    const chunk = new Uint8Array(64 * 1024);
    const writing = (async () => {
      for (; written < 4 * CONNECTION_WINDOW_BYTES; written += chunk.byteLength) await stream.write(chunk);
      await stream.end();
    })();
    const stalledAt = await settled(() => written);
    expect(stalledAt).toBeGreaterThan(0);
    expect(stalledAt).toBeLessThanOrEqual(STREAM_WINDOW_BYTES);
    expect(await countBytes(received)).toBe(4 * CONNECTION_WINDOW_BYTES);
    await writing;
    void hostEnd;
  });

  test('what the client sends before the host has dialled waits within the windows', async () => {
    const relay = await newRelay();
    await using clientEnd = ended(await dialRelay(target.url, relay.client, 'client'));
    const stream = clientEnd.mux.open({ type: 'image-load' });
    await stream.write(new Uint8Array(100_000));
    const ending = stream.end();
    const accepted = Promise.withResolvers<RelayStream>();
    await using hostEnd = ended(await dialRelay(target.url, relay.host, 'host', { onOpen: accepted.resolve }));
    expect(await countBytes(await accepted.promise)).toBe(100_000);
    await ending;
    void hostEnd;
  });

  test('a token opens one connection; a wrong one and none open nothing', async () => {
    const relay = await newRelay();
    const { path } = relay.client;
    expect(await refusedDial(target.url, { path, token: undefined })).toEqual({ status: 401, code: 'relay.bad-token' });
    expect(await refusedDial(target.url, { path, token: 'x' })).toEqual({ status: 401, code: 'relay.bad-token' });
    await using clientEnd = ended(await dialRelay(target.url, relay.client, 'client'));
    expect(await refusedDial(target.url, relay.client)).toEqual({ status: 401, code: 'relay.token-used' });
    const other = { path: `/v1/relays/${'0'.repeat(20)}`, token: relay.host.token };
    expect(await refusedDial(target.url, other)).toEqual({ status: 401, code: 'relay.bad-token' });
    void clientEnd;
  });

  test('when one end is gone, the other is told why and closed', async () => {
    const relay = await newRelay();
    const accepted = Promise.withResolvers<RelayStream>();
    const hostEnd = await dialRelay(target.url, relay.host, 'host', { onOpen: accepted.resolve });
    await using clientEnd = ended(await dialRelay(target.url, relay.client, 'client'));
    const stream = clientEnd.mux.open({ type: 'image-load' });
    await accepted.promise;
    hostEnd.socket.terminate();
    await expect(stream.finished).rejects.toThrow(/relay: the connection of the host broke/);
    expect((await clientEnd.closed).reason).toMatch(/the connection of the host broke/);
  });

  test('an end that breaks the rules closes the relay', async () => {
    const relay = await newRelay();
    await using hostEnd = ended(await dialRelay(target.url, relay.host, 'host'));
    await using clientEnd = ended(await dialRelay(target.url, relay.client, 'client'));
    clientEnd.socket.send(new Uint8Array([2, 0, 0, 0, 1, 255])); // DATA on a stream that was never opened
    expect(await clientEnd.closed).toMatchObject({ code: 4400 });
    expect((await hostEnd.closed).reason).toMatch(/never opened/);
  });

  test('a relay to a host that is not connected is refused', async () => {
    await using away = await TestHost.join(target, admin, 'away-host');
    await expect(admin.openRelay({ type: 'image-load', host: away.name })).rejects.toMatchObject({
      code: 'host.not-connected',
    });
  });

  test('a plain request to a WebSocket path is refused', async () => {
    const response = await fetch(`${target.url}/v1/relays/${'0'.repeat(20)}`);
    expect(response.status).toBe(426);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 426, code: 'channel.upgrade-needed' });
  });
}

/** The end, whose connection is cut when the test is over. */
function ended<End extends { readonly socket: { terminate(): void } }>(end: End): End & AsyncDisposable {
  return Object.assign(end, { [Symbol.asyncDispose]: async () => end.socket.terminate() });
}

async function countBytes(stream: RelayStream): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream.readable) bytes += chunk.byteLength;
  return bytes;
}

/**
 * A number that has grown and then not changed for a while, since that is all that "stalled" can mean from outside.
 */
async function settled(read: () => number): Promise<number> {
  let last = 0;
  let since = performance.now();
  return eventually(
    async () => {
      if (read() !== last) since = performance.now();
      last = read();
      return last;
    },
    () => last > 0 && performance.now() - since > 500,
  );
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
