import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { controlLine, type ControlLine, type StreamHeader } from '#shared/relay/header.ts';
import { readLines } from '#shared/relay/lines.ts';
import { startCannedControlPlane, type CannedHost } from '../support/canned-control-plane.ts';

const berth = join(import.meta.dirname, '..', '..', 'bin', 'berth');
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

const task = {
  id: 'a'.repeat(20),
  stack: 'hello',
  service: 'web',
  slot: 1,
  state: 'running',
  health: 'none',
  desired: true,
  image: 'hello:1',
  restarts: 0,
  message: '',
  createdAtMs: 1,
};
const routes = {
  'GET /v1/tasks': () => ({ tasks: [task], pending: [] }),
  'POST /v1/relays': () => ({ relayId: 'r'.repeat(20), path: '/v1/relays/x', token: 'one-time' }),
};

test('exec -it: keys go through unread, a new size is told, and the terminal is as it was', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-exec-'));
  const headers: StreamHeader[] = [];
  const typed: number[] = [];
  const sizes: ControlLine[] = [];
  const resized = Promise.withResolvers<void>();
  const host: CannedHost = (stream) => {
    headers.push(stream.header);
    if (stream.header.type === 'control') {
      void (async () => {
        for await (const line of readLines(stream.readable, controlLine)) {
          sizes.push(line);
          if (line.kind === 'resize' && line.size.columns === 99) resized.resolve();
        }
      })().catch(() => {}); // the client has gone
      return;
    }
    void (async () => {
      await stream.write(bytes('remote prompt'));
      const reader = stream.readable.getReader();
      while (!typed.includes(3)) typed.push(...((await reader.read()).value ?? [3]));
      await resized.promise;
      await stream.end({ exitCode: 42 });
    })().catch(() => {}); // the client has gone
  };
  try {
    await using plane = await startCannedControlPlane(routes, host);
    const script = [
      'stty rows 24 cols 80',
      `tty > ${directory}/tty`,
      `stty -a > ${directory}/before`,
      `${berth} exec -it web.1 sh`,
      'echo "code $?"',
      `stty -a | sed 's/rows 33; columns 99/rows 24; columns 80/' > ${directory}/after`,
    ].join('\n');
    const child = spawn('script', ['--quiet', '--flush', '--return', '--command', script, '/dev/null'], {
      env: { ...process.env, BERTH_URL: plane.url, BERTH_TOKEN: 'brt_x', SHELL: '/bin/sh' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const output = text(child.stdout);
    const closed = once(child, 'close');
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await expect.poll(() => seen).toContain('remote prompt');
    child.stdin.write('ls\r\u0003'); // an interrupt is the remote's to handle
    const tty = (await readFile(join(directory, 'tty'), 'utf8')).trim();
    await once(spawn('stty', ['-F', tty, 'rows', '33', 'cols', '99']), 'exit');
    await closed;
    expect(await output).toContain('code 42');
    expect(headers[0]).toMatchObject({ type: 'exec', tty: true, stdin: true, size: { columns: 80, rows: 24 } });
    expect(Buffer.from(typed).toString()).toBe('ls\r\u0003');
    expect(sizes.at(-1)).toEqual({ kind: 'resize', size: { columns: 99, rows: 33 } });
    expect(await readFile(join(directory, 'after'), 'utf8')).toBe(await readFile(join(directory, 'before'), 'utf8'));
  } finally {
    await rm(directory, { recursive: true });
  }
});
