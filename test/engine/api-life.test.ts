import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { hasClient28 } from '../support/docker-client.ts';
import { EngineUnderTest } from '../docker-cli/engine.ts';

const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;

beforeAll(async () => {
  engine = stack.use(await EngineUnderTest.runner());
});
afterAll(() => stack.disposeAsync());

interface Reply {
  readonly status: number;
  readonly body: string;
}

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const sent = request({ socketPath: engine.socketPath, method, path, headers });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  return { status: response.statusCode, body: await text(response) };
}

const json = (reply: Reply) => JSON.parse(reply.body) as Record<string, unknown>;
/** What is at a path in a document. */
const at = (value: unknown, ...path: string[]): unknown =>
  path.reduce((one, name) => (one as Record<string, unknown> | undefined)?.[name], value);
const message = (reply: Reply) => String(json(reply)['message']);
const inspect = async (name: string) => json(await call('GET', `/v1.51/containers/${name}/json`));
const state = async (name: string) => (await inspect(name))['State'] as Record<string, unknown>;

async function docker(...args: string[]) {
  return engine.run({ args });
}

/** A look at the events of a container from this moment on. */
function eventsFromNow(name: string): () => Promise<string[]> {
  const since = Date.now() / 1000;
  const filters = encodeURIComponent(JSON.stringify({ container: [name] }));
  return async () => {
    const { body } = await call('GET', `/events?since=${since}&until=${Date.now() / 1000}&filters=${filters}`);
    return body
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { Action: string }).Action);
  };
}

test('a slow reader of docker run gets everything, however long it pauses', async () => {
  const count = 200_000;
  const args = ['-H', `unix://${engine.socketPath}`, 'run', '--rm', '-i', 'busybox', 'sh', '-c'];
  const script = `i=0; while [ $i -lt ${count} ]; do echo $i; i=$((i+1)); done`;
  const client = spawn('docker', [...args, script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let next = 0;
  for await (const line of createInterface({ input: client.stdout })) {
    expect(Number(line)).toBe(next);
    next += 1;
    if (next === 1) await delay(4000); // longer than any stall that used to be cut
  }
  expect(next).toBe(count);
});

test('a client that reads nothing delays neither stop nor remove', async () => {
  await docker(
    'create',
    '--name',
    'stalled',
    'busybox',
    'sh',
    '-c',
    'while :; do echo 0123456789012345678901234; done',
  );
  const attach = request({
    socketPath: engine.socketPath,
    method: 'POST',
    path: '/containers/stalled/attach?stream=1&stdout=1',
    headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
  });
  attach.end();
  const [, socket] = (await once(attach, 'upgrade')) as [unknown, NodeJS.ReadStream];
  socket.pause();
  await docker('start', 'stalled');
  // Its log stands still once the buffers on the way to the client are full.
  let logged = 0;
  const isStalled = async () => {
    const before = logged;
    logged = (await docker('logs', 'stalled')).stdout.length;
    return before > 0 && logged === before;
  };
  await expect.poll(isStalled, { interval: 300 }).toBe(true);
  expect((await docker('stop', '-t', '1', 'stalled')).exit).toBe(0);
  expect((await docker('rm', 'stalled')).exit).toBe(0);
  expect(socket.isPaused()).toBe(true); // and has read nothing in all that time
  socket.destroy();
});

test('attached over a WebSocket: input, output in binary frames, and the end', async () => {
  await docker(
    'run',
    '-d',
    '-i',
    '--name',
    'socket',
    'busybox',
    'sh',
    '-c',
    'read a; echo "got $a"; echo no >&2; exit 3',
  );
  const query = 'stream=1&stdin=1&stdout=1&stderr=1';
  const webSocket = new WebSocket(`ws+unix:${engine.socketPath}:/v1.51/containers/socket/attach/ws?${query}`);
  let seen = '';
  const binary: boolean[] = [];
  webSocket.on('message', (data: Buffer, isBinary) => {
    seen += String(data);
    binary.push(isBinary);
  });
  await once(webSocket, 'open');
  webSocket.send('ship\n');
  await once(webSocket, 'close');
  expect(seen).toContain('got ship\n');
  expect(seen).toContain('no\n');
  expect(binary.every(Boolean)).toBe(true);
  await expect.poll(() => state('socket')).toMatchObject({ Status: 'exited', ExitCode: 3 });
  expect((await call('GET', '/containers/socket/attach/ws?stream=1')).status).toBe(400);
  await docker('rm', 'socket');
});

test('the keys that detach are taken out, the container runs on, and it is told', async () => {
  await docker('run', '-d', '-i', '-t', '--name', 'keys', 'busybox', 'cat');
  const events = eventsFromNow('keys');
  const query = 'stream=1&stdin=1&stdout=1&detachKeys=a,b';
  const webSocket = new WebSocket(`ws+unix:${engine.socketPath}:/v1.51/containers/keys/attach/ws?${query}`);
  let seen = '';
  webSocket.on('message', (data: Buffer) => (seen += String(data)));
  await once(webSocket, 'open');
  webSocket.send('xa');
  await expect.poll(() => seen).toContain('x'); // the terminal's echo
  webSocket.send('by');
  await once(webSocket, 'close');
  expect(seen).toBe('x');
  await expect.poll(events).toEqual(['attach', 'detach']);
  expect((await state('keys'))['Running']).toBe(true);
  const refused = await call('POST', '/containers/keys/attach?stream=1&detachKeys=nope');
  expect(refused).toMatchObject({ status: 400 });
  expect(message(refused)).toBe('Invalid escape keys (nope) provided');
  await docker('rm', '-f', 'keys');
});

test('a health check is told of: log, streak, events; after a start anew it begins again', async () => {
  const args = ['--health-cmd', 'echo fine; test -e /tmp/ok', '--health-interval', '100ms', '--health-retries', '2'];
  const actions = eventsFromNow('sick');
  {
    await docker('run', '-d', '--name', 'sick', ...args, 'busybox', 'sleep', '1000');
    const health = async () => at(await state('sick'), 'Health', 'Status');
    await expect.poll(health).toBe('unhealthy');
    const seen = (await state('sick'))['Health'] as { FailingStreak: number; Log: Record<string, unknown>[] };
    expect(seen.FailingStreak).toBeGreaterThanOrEqual(2);
    expect(seen.Log[0]).toMatchObject({ ExitCode: 1, Output: 'fine\n' });
    await docker('exec', 'sick', 'touch', '/tmp/ok');
    await expect.poll(health).toBe('healthy');
    await expect.poll(async () => (at(await state('sick'), 'Health', 'Log') as unknown[]).length).toBe(5);
    expect(at(await state('sick'), 'Health', 'FailingStreak')).toBe(0);
  }
  await expect
    .poll(actions)
    .toEqual(
      expect.arrayContaining([
        'health_status: unhealthy',
        'health_status: healthy',
        'exec_die',
        expect.stringMatching(/^exec_create: \/bin\/sh -c echo fine/),
      ]),
    );
  await docker('stop', '-t', '0', 'sick');
  expect(at(await state('sick'), 'Health', 'Status')).toBe('unhealthy');
  await docker('rm', '-f', 'sick');
});

test('events of all time, until then, are those that have been', async () => {
  await docker('volume', 'create', 'told');
  const { body } = await call('GET', `/events?since=0&until=0&filters=${encodeURIComponent('{"volume":["told"]}')}`);
  expect(body.match(/"Action":"create"/g)).toHaveLength(1);
  await docker('volume', 'rm', 'told');
});

test.runIf(hasClient28)('what health checks told outlives the runner: status, streak and log', async () => {
  const once = ['--health-start-period', '1h', '--health-start-interval', '50ms', '--health-interval', '1h'];
  const often = ['--health-interval', '100ms', '--health-retries', '2'];
  await docker('run', '-d', '--name', 'sound', '--health-cmd', 'echo fine', ...once, 'busybox', 'sleep', '1000');
  await docker('run', '-d', '--name', 'ill', '--health-cmd', 'false', ...often, 'busybox', 'sleep', '1000');
  const health = async (name: string) =>
    (await state(name))['Health'] as { Status: string; FailingStreak: number; Log: unknown[] };
  await expect.poll(async () => (await health('sound')).Status, { timeout: 20_000 }).toBe('healthy');
  await expect.poll(async () => (await health('ill')).FailingStreak, { timeout: 20_000 }).toBeGreaterThan(5);
  const before = await health('sound');
  const streak = (await health('ill')).FailingStreak;
  await engine.crash();
  expect(await health('sound')).toEqual(before);
  expect(before.Log).toHaveLength(1);
  const after = await health('ill');
  expect(after).toMatchObject({
    Status: 'unhealthy',
    Log: Array.from({ length: 5 }, () => expect.anything() as unknown),
  });
  expect(after.FailingStreak).toBeGreaterThanOrEqual(streak);
  await docker('rm', '-f', 'sound', 'ill');
});

test('a health check that hangs is killed with all that it started', async () => {
  const args = ['--health-cmd', 'sleep 777 & sleep 777', '--health-timeout', '100ms', '--health-interval', '50ms'];
  await docker('run', '-d', '--name', 'hung', ...args, '--health-retries', '3', 'busybox', 'sleep', '1000');
  await expect.poll(async () => at(await state('hung'), 'Health', 'Status')).toBe('unhealthy');
  const { Log: log } = at(await state('hung'), 'Health') as { Log: readonly unknown[] };
  expect(log[0]).toMatchObject({ ExitCode: -1, Output: 'Health check exceeded timeout (100ms)' });
  const probing = async () =>
    (await docker('top', 'hung', '-eo', 'pid,args')).stdout.match(/sleep 777$/gm)?.length ?? 0;
  // Those of the probe that is under way, not those of three.
  await expect.poll(probing).toBeLessThanOrEqual(3);
  await docker('rm', '-f', 'hung');
});

test.each([
  [{ Test: ['CMD', 'true'], Interval: 1000 }, 'Interval in Healthcheck cannot be less than 1ms'],
  [{ Test: ['CMD', 'true'], StartInterval: -5 }, 'StartInterval in Healthcheck cannot be less than 1ms'],
  [{ Test: ['CMD', 'true'], Retries: -1 }, 'Retries in Healthcheck cannot be negative'],
])('a health check that makes no sense is refused: %o', async (check, why) => {
  const reply = await call('POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], Healthcheck: check });
  expect([reply.status, message(reply)]).toEqual([400, why]);
});

test('a start that fails leaves the container created, with the code of a shell', async () => {
  const { exit, stderr } = await docker('run', '--name', 'nothing', 'busybox', '/bin/nothing');
  expect(exit).toBe(127);
  expect(stderr).toContain('exec: "/bin/nothing": stat /bin/nothing: no such file or directory');
  expect(await state('nothing')).toMatchObject({ Status: 'created', ExitCode: 127, Running: false });
  expect((await docker('run', '--name', 'plain', 'busybox', '/etc/passwd')).exit).toBe(126);
  const user = await docker('run', '--name', 'who', '--user', 'nosuch', 'busybox', 'true');
  expect(user.exit).toBe(125);
  expect(user.stderr).toContain('unable to find user nosuch: no matching entries in passwd file');
  expect((await docker('run', '--rm', '--name', 'gone', 'busybox', 'nosuch')).exit).toBe(127);
  await expect.poll(async () => (await call('GET', '/containers/gone/json')).status).toBe(404);
  await docker('rm', 'nothing', 'plain', 'who');
});

test('what cannot be is told as dockerd tells it', async () => {
  await docker('run', '-d', '--name', 'loop', '--restart', 'always', 'busybox', 'false');
  // It runs for a moment now and then; the rest of the time an exec is refused.
  await expect
    .poll(() => call('POST', '/containers/loop/exec', { Cmd: ['true'] }))
    .toEqual({
      status: 409,
      body: expect.stringMatching(
        /"Container [0-9a-f]{64} is restarting, wait until the container is running"/,
      ) as string,
    });
  await docker('rm', '-f', 'loop');
  await docker('create', '--name', 'still', 'busybox', 'sleep', '1000');
  const killed = await call('POST', '/containers/still/kill');
  expect(killed.status).toBe(409);
  expect(message(killed)).toMatch(/^cannot kill container: still: container [0-9a-f]{64} is not running$/);
  expect((await call('POST', '/containers/still/wait')).body).toBe('{"StatusCode":0}\n');
  const condition = await call('POST', '/containers/still/wait?condition=later');
  expect([condition.status, message(condition)]).toEqual([400, 'invalid condition: "later"']);
  const checkpoint = await call('POST', '/containers/still/start?checkpoint=c1');
  expect([checkpoint.status, message(checkpoint)]).toEqual([400, 'checkpoint is only supported in experimental mode']);
  const body = await call('POST', '/containers/still/start', { Binds: ['/:/x'] });
  expect(message(body)).toContain('starting container with non-empty request body was deprecated');
  expect((await call('POST', '/containers/still/stop')).status).toBe(304);
  expect((await call('PATCH', '/containers/still/json')).status).toBe(404);
  expect((await call('GET', '/v1.99/info')).body).toContain('client version 1.99 is too new');
  expect((await call('GET', '/v1.12/info')).body).toContain('client version 1.12 is too old');
  await docker('rm', 'still');
});

test.each([
  [{ Type: 'syslog', Config: {} }, "logger: no log driver named 'syslog' is registered"],
  [{ Type: 'json-file', Config: { color: 'red' } }, "unknown log opt 'color' for json-file log driver"],
  [{ Type: 'local', Config: { tag: 'x' } }, "unknown log opt 'tag' for log driver local"],
  [{ Type: 'json-file', Config: { mode: 'lazy' } }, 'logger: logging mode not supported: lazy'],
])('a log that cannot be is refused: %o', async (log, why) => {
  const reply = await call('POST', '/containers/create', { Image: 'busybox', HostConfig: { LogConfig: log } });
  expect([reply.status, message(reply)]).toEqual([400, why]);
});

test('logs with details; a log that is not kept cannot be read', async () => {
  const options = ['--log-opt', 'labels=tier', '--log-opt', 'tag={{.Name}}', '--label', 'tier=a b'];
  await docker('run', '--name', 'told', ...options, 'busybox', 'echo', 'hello');
  expect((await docker('logs', '--details', 'told')).stdout).toBe('tag=told,tier=a+b hello\n');
  expect(at(await inspect('told'), 'HostConfig', 'LogConfig')).toEqual({
    Type: 'json-file',
    Config: { labels: 'tier', tag: '{{.Name}}' },
  });
  await docker('run', '--name', 'mute', '--log-driver', 'none', 'busybox', 'echo', 'hello');
  const { exit, stderr } = await docker('logs', 'mute');
  expect(exit).toBe(1);
  expect(stderr).toContain('configured logging driver does not support reading');
  await docker('rm', 'told', 'mute');
});

test('an exec: told while it is, its groups, its end with the container', async () => {
  await docker('run', '-d', '--name', 'ship', '--group-add', '77', 'busybox', 'sleep', '1000');
  expect((await docker('exec', '-u', '5:7', 'ship', 'id', '-G')).stdout).toMatch(/^7 77\n$/);
  const created = json(await call('POST', '/containers/ship/exec', { Cmd: ['sleep', '1000'], DetachKeys: 'ctrl-a' }));
  const id = String(created['Id']);
  expect((await inspect('ship'))['ExecIDs']).toEqual([id]);
  expect((await call('POST', `/exec/${id}/start`, { Detach: true })).status).toBe(200);
  expect(json(await call('GET', `/exec/${id}/json`))).toMatchObject({
    ID: id,
    Running: true,
    ExitCode: null,
    DetachKeys: 'AQ==',
    ProcessConfig: { entrypoint: 'sleep', arguments: ['1000'], tty: false },
  });
  const again = await call('POST', `/exec/${id}/start`, {});
  expect([again.status, message(again)]).toEqual([409, `Exec ${id} has already run`]);
  await docker('stop', '-t', '0', 'ship');
  const ended = async () => json(await call('GET', `/exec/${id}/json`));
  await expect.poll(ended).toMatchObject({ Running: false, ExitCode: 137 });
  await docker('rm', 'ship');
});
