import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { BerthError } from '#shared/errors.ts';
import { decodeFrame } from '#shared/relay/frame.ts';
import type { RelayGrant, StreamHeader } from '#shared/relay/header.ts';
import { RelayLedger, type RelaySide } from '#shared/relay/ledger.ts';
import { encodeLine } from '#shared/relay/lines.ts';
import { RelayMux } from '#shared/relay/mux.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { ContainerRecord, Engine, LogEntry } from '../container/engine.ts';
import type { ImageStore } from '../image/store.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import { createLog } from '../log.ts';
import { RelayServer } from './relay-server.ts';
import { engineWithout } from '../../test/support/engine-without.ts';

const taskId = '0'.repeat(20);

const container = {
  id: 'c'.repeat(64),
  config: { environment: ['PATH=/usr/bin:/bin', 'A=1'], task: { id: taskId, epoch: 1 } },
  state: 'running',
  createdAtMs: 1,
} as unknown as ContainerRecord; // only what is read here

/** A process of this machine in place of one in a container: real pipes, real signals. */
function processSession(request: ExecRequest): ExecSession & { readonly signals: number[] } {
  const [file = '', ...args] = request.args;
  const env = Object.fromEntries(
    request.env.map((entry) => [entry.split('=')[0] ?? '', entry.slice(entry.indexOf('=') + 1)]),
  );
  const child = spawn(file, args, { env: { PATH: process.env['PATH'], ...env } });
  if (!request.stdin) child.stdin.end();
  const signals: number[] = [];
  return {
    pid: child.pid ?? 0,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exit: once(child, 'exit').then(([code, signal]) => (signal === null ? Number(code) : 128)),
    signals,
    resize: () => Promise.resolve(),
    signal: (signal) => {
      signals.push(signal);
      child.kill(signal);
      return Promise.resolve();
    },
    kill: () => {
      child.kill('SIGKILL');
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => {
      child.stdout.destroy();
      child.stderr.destroy();
      child.stdin.destroy();
      return Promise.resolve();
    },
  };
}

/** A client's multiplexer joined to a host that serves `grant`, with the relay's ledger in between. */
function relayTo(grant: RelayGrant, over: { engine?: Partial<Engine>; images?: Partial<ImageStore> } = {}) {
  const sessions: ReturnType<typeof processSession>[] = [];
  const ledger = new RelayLedger();
  const opened: RelayStream[] = [];
  const closes: string[] = [];
  const lines: string[] = [];
  const muxes: Partial<Record<RelaySide, RelayMux>> = {};
  const transport = (from: RelaySide, to: RelaySide) => ({
    send: (bytes: Uint8Array<ArrayBuffer>) =>
      queueMicrotask(() => {
        ledger.pass(from, decodeFrame(bytes));
        muxes[to]?.receive(bytes);
      }),
    close: (code: number, reason: string) => void closes.push(`${from} ${code} ${reason}`),
  });
  const engine = engineWithout([container], {
    exec: (_id, request) => {
      const session = processSession(request);
      sessions.push(session);
      return Promise.resolve(session);
    },
    ...over.engine,
  });
  const client = new RelayMux(transport('client', 'host'), 'client', { onOpen: (stream) => void opened.push(stream) });
  const host: RelayMux = new RelayMux(transport('host', 'client'), 'host', {
    onOpen: (stream) => server.accept(stream),
  });
  const server = new RelayServer({
    grant,
    mux: host,
    engine,
    images: over.images as ImageStore,
    log: createLog('text', (line) => lines.push(line)),
  });
  muxes.client = client;
  muxes.host = host;
  return { client, host, server, opened, closes, sessions, lines };
}

function exec(command: string[], more: Partial<Extract<StreamHeader, { type: 'exec' }>> = {}): StreamHeader {
  return { type: 'exec', taskId, command, tty: false, stdin: false, environment: {}, ...more };
}

test('exec: stdin in, stdout and stderr out, environment over the container’s, the exit code last', async () => {
  const { client, opened, server } = relayTo({ type: 'exec', taskId });
  const script = 'cat; echo "$A$B"; echo wrong >&2; exit 7';
  const stream = client.open(exec(['sh', '-c', script], { stdin: true, environment: { B: '2' } }));
  await stream.write(new TextEncoder().encode('hello '));
  await stream.end();
  expect(await text(stream.readable)).toBe('hello 12\n');
  const errors = opened.find(({ header }) => header.type === 'stderr');
  expect(errors?.header).toEqual({ type: 'stderr', of: stream.id });
  expect(await text(errors?.readable ?? new ReadableStream())).toBe('wrong\n');
  expect(await stream.finished).toEqual({ exitCode: 7 });
  await server.settled();
});

test('exec: a reader that stalls stops the process at its pipe; reading on lets it finish', async () => {
  const { client, sessions, server } = relayTo({ type: 'exec', taskId });
  const stream = client.open(exec(['sh', '-c', 'head -c 5000000 /dev/zero; echo done >&2']));
  await expect.poll(() => sessions.length).toBe(1);
  const ended = vi.fn<() => void>();
  void sessions[0]?.exit.then(ended);
  const stdout = sessions[0]?.stdout as Readable;
  await expect.poll(() => stdout.readableLength).toBeGreaterThan(0);
  expect(ended).not.toHaveBeenCalled();
  let bytes = 0;
  for await (const chunk of stream.readable) bytes += chunk.byteLength;
  expect(bytes).toBe(5_000_000);
  expect(await stream.finished).toEqual({ exitCode: 0 });
  await server.settled();
});

test.each([false, true])('exec: a client that goes away hangs the process up (its stdin ended: %s)', async (ended) => {
  const { client, host, sessions, server } = relayTo({ type: 'exec', taskId });
  const stream = client.open(exec(['sleep', '1000'], { stdin: true }));
  if (ended) await stream.end();
  await expect.poll(() => sessions.length).toBe(1);
  host.lost(new BerthError('unavailable', 'relay.lost', 'the cable was pulled'));
  await server.settled();
  expect(sessions[0]?.signals).toEqual([1]);
  await sessions[0]?.exit;
});

test('exec: what the process left in the background does not hold the exec open', async () => {
  const { client, server } = relayTo({ type: 'exec', taskId });
  const stream = client.open(exec(['sh', '-c', 'sleep 20 & echo $!']));
  const output = await text(stream.readable);
  expect(await stream.finished).toEqual({ exitCode: 0 });
  await server.settled();
  process.kill(Number(output));
});

test('control: signals reach the process; an unknown one is told', async () => {
  const { client, sessions, server } = relayTo({ type: 'exec', taskId });
  const stream = client.open(exec(['sleep', '1000']));
  const control = client.open({ type: 'control', of: stream.id });
  await control.write(encodeLine({ kind: 'resize', size: { columns: 80, rows: 24 } }));
  await control.write(encodeLine({ kind: 'signal', signal: 'SIGTERM' }));
  expect(await stream.finished).toEqual({ exitCode: 128 });
  expect(sessions[0]?.signals).toEqual([15]);
  await expect(control.finished).rejects.toMatchObject({ code: 'exec.ended' });
  await server.settled();

  const other = client.open(exec(['cat'], { stdin: true }));
  const bad = client.open({ type: 'control', of: other.id });
  await bad.write(encodeLine({ kind: 'signal', signal: 'SIGNOISE' }));
  await expect(bad.finished).rejects.toMatchObject({ code: 'signal.unknown' });
  await other.end();
  expect(await other.finished).toEqual({ exitCode: 0 });
});

test('what the grant does not cover is refused, and a task that is not here is told', async () => {
  const { client } = relayTo({ type: 'exec', taskId });
  const refused: StreamHeader[] = [
    { type: 'image-load' },
    { type: 'logs', taskId, follow: false, timestamps: false },
    exec(['true'], { taskId: '1'.repeat(20) }),
    { type: 'stderr', of: 1 },
  ];
  for (const header of refused) {
    await expect(client.open(header).finished).rejects.toMatchObject({ kind: 'forbidden', code: 'relay.not-granted' });
  }
  await expect(client.open({ type: 'control', of: 99 }).finished).rejects.toMatchObject({
    code: 'relay.stream-unknown',
  });
  const elsewhere = relayTo({ type: 'logs', taskId: '1'.repeat(20) });
  const logs = elsewhere.client.open({ type: 'logs', taskId: '1'.repeat(20), follow: false, timestamps: false });
  await expect(logs.finished).rejects.toMatchObject({ code: 'task.no-container' });
});

test('logs: each stream on its own, with timestamps when asked; a reader that goes away ends the following', async () => {
  let aborted = false;
  async function* entries(_id: string, { follow, signal }: { follow: boolean; signal?: AbortSignal }) {
    const entry = (stream: LogEntry['stream'], line: string): LogEntry => ({ stream, text: `${line}\n`, time: 'T' });
    yield entry('stdout', 'one');
    yield entry('stderr', 'two');
    if (!follow) return;
    if (signal?.aborted === false) await once(signal, 'abort');
    aborted = true;
  }
  const { client, opened, server } = relayTo({ type: 'logs', taskId }, { engine: { logs: entries } });
  const stream = client.open({ type: 'logs', taskId, follow: false, timestamps: true });
  expect(await text(stream.readable)).toBe('T one\n');
  expect(await text(opened[0]?.readable ?? new ReadableStream())).toBe('T two\n');
  const following = client.open({ type: 'logs', taskId, follow: true, timestamps: false });
  const reader = following.readable.getReader();
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('one\n');
  await reader.cancel();
  await server.settled();
  expect(aborted).toBe(true);
});

test('image load: the archive arrives whole, with progress; padding is read to its end; a failure says why', async () => {
  let received = 0;
  const images: Partial<ImageStore> = {
    async load(archive, { onProgress }) {
      for await (const chunk of archive) {
        received += (chunk as Buffer).byteLength;
        if (received >= 6_000_000) break; // the archive ends here; what follows is padding
      }
      onProgress?.('unpacking');
      return [{ id: 'sha256:1', references: ['hello:1'] }] as never;
    },
  };
  const { client, server } = relayTo({ type: 'image-load' }, { images });
  const stream = client.open({ type: 'image-load' });
  const sent = stream.write(new Uint8Array(10_000_000)).then(() => stream.end());
  const progress = await text(stream.readable);
  await sent;
  expect(progress).toContain('"message":"receiving"');
  expect(progress).toContain('"message":"unpacking"');
  expect(await stream.finished).toEqual({ images: [{ id: 'sha256:1', references: ['hello:1'] }] });
  await server.settled();

  const corrupt = new BerthError('invalid', 'image.archive-corrupt', 'the blob sha256:2 is corrupt');
  const failing = relayTo({ type: 'image-load' }, { images: { load: () => Promise.reject(corrupt) } });
  const bad = failing.client.open({ type: 'image-load' });
  const failure = bad.write(new Uint8Array(2_000_000)).catch((error: unknown) => error);
  await expect(bad.finished).rejects.toMatchObject({ code: 'image.archive-corrupt' });
  expect(await failure).toMatchObject({ message: 'the blob sha256:2 is corrupt' });
});
