import { describe, expect, test } from 'vitest';
import { eventList } from '#shared/api/events.ts';
import { createdJoinToken, hostList, imageList, joinResponse } from '#shared/api/hosts.ts';
import { applyResponse, serviceList, stackDetail, stackList, taskList } from '#shared/api/stacks.ts';
import { createdToken, tokenList } from '#shared/api/tokens.ts';
import type { HostFacts, HostImage } from '#shared/model/host.ts';
import { problem } from '#shared/problem.ts';
import { Client, type ApiTarget } from './api-client.ts';
import { eventually } from './eventually.ts';

/** What the suite's hosts tell of themselves. */
export const facts: HostFacts = {
  hostname: 'alpha',
  os: 'Debian GNU/Linux 12',
  kernel: '6.1.0',
  architecture: 'amd64',
  cpus: 2,
  memoryBytes: 2 ** 31,
  controllers: ['cpu', 'memory', 'pids'],
  runnerVersion: '0.1.0',
};

/** The image that the suite's hosts hold. */
export const hello: HostImage = {
  id: `sha256:${'a'.repeat(64)}`,
  references: ['docker.io/library/hello:1', 'docker.io/library/hello:2'],
  sizeBytes: 1000,
  createdAtMs: 1,
};

const compose = (replicas: number, image = 'hello:1') =>
  `services:\n  web:\n    image: ${image}\n    ports: ["8080:80"]\n    deploy: { replicas: ${replicas} }\n`;

async function bootstrap(target: ApiTarget): Promise<Client> {
  const client = new Client(target);
  const call = { method: 'POST', token: target.bootstrapSecret, body: {} };
  client.token = (await client.ok(createdToken, '/v1/bootstrap', call)).token;
  return client;
}

async function enrol(target: ApiTarget, client: Client, name: string, images = [hello]): Promise<string> {
  const join = await client.ok(createdJoinToken, '/v1/join-tokens', { method: 'POST', body: {} });
  const body = { protocol: 1, name, publicKey: target.hostPublicKey ?? 'A'.repeat(43), facts };
  const { hostId } = await client.ok(joinResponse, '/v1/hosts/join', { method: 'POST', token: join.token, body });
  await target.connectHost(hostId, facts, images);
  return hostId;
}

function tokenTests(open: () => Promise<ApiTarget>): void {
  test('the first token is made once, with the bootstrap secret', async () => {
    await using target = await open();
    const client = new Client(target);
    const body = {};
    expect(await client.problem('/v1/bootstrap', { method: 'POST', body })).toMatchObject({ code: 'token.missing' });
    expect(await client.problem('/v1/bootstrap', { method: 'POST', body, token: 'guess' })).toMatchObject({
      status: 401,
      code: 'token.unknown',
      detail: 'this is not the bootstrap secret',
    });
    const admin = await bootstrap(target);
    expect(admin.token).toMatch(/^brt_[\w-]{43}$/);
    const again = { method: 'POST', body, token: target.bootstrapSecret };
    expect(await client.problem('/v1/bootstrap', again)).toMatchObject({ status: 409, code: 'bootstrap.done' });
    expect((await admin.ok(tokenList, '/v1/tokens')).tokens.map((token) => token.name)).toEqual(['admin']);
  });

  test('a token missing, unknown, expired, revoked or of a lesser scope is told apart', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    expect(await client.problem('/v1/stacks', { token: undefined })).toMatchObject({
      status: 401,
      code: 'token.missing',
    });
    expect(await client.problem('/v1/stacks', { token: 'brt_x' })).toMatchObject({
      status: 401,
      code: 'token.unknown',
    });
    const make = (body: object) => client.ok(createdToken, '/v1/tokens', { method: 'POST', body });
    const long = { method: 'POST', body: { name: 'long', scope: 'read', expiresInMs: 9e15 } };
    expect(await client.problem('/v1/tokens', long)).toMatchObject({ status: 422, code: 'request.invalid' });
    const brief = await make({ name: 'brief', scope: 'read', expiresInMs: 1 });
    const expired = await eventually(
      () => client.send('/v1/stacks', { token: brief.token }),
      (response) => response.status === 401,
    );
    expect(problem.parse(await expired.json()).code).toBe('token.expired');
    const reader = await make({ name: 'reader', scope: 'read' });
    const scale = { method: 'POST', token: reader.token, body: { replicas: 1 } };
    expect(await client.problem('/v1/stacks/a/services/b/scale', scale)).toMatchObject({
      status: 403,
      code: 'token.scope',
      detail: 'token reader has scope read; this needs deploy',
    });
    expect(await client.problem('/v1/tokens', { token: reader.token })).toMatchObject({ code: 'token.scope' });
    expect(
      await client.problem('/v1/tokens', { method: 'POST', body: { name: 'reader', scope: 'read' } }),
    ).toMatchObject({ status: 409, code: 'token.name-taken' });
    expect((await client.send('/v1/tokens/reader', { method: 'DELETE' })).status).toBe(204);
    expect(await client.problem('/v1/stacks', { token: reader.token })).toMatchObject({ code: 'token.unknown' });
    expect(await client.problem('/v1/tokens/reader', { method: 'DELETE' })).toMatchObject({ code: 'token.not-found' });
  });
}

function hostTests(open: () => Promise<ApiTarget>): void {
  test('a join token enrols one host, once', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    const make = (body: object) => client.ok(createdJoinToken, '/v1/join-tokens', { method: 'POST', body });
    const join = (token: string, more: object = {}) => ({
      method: 'POST',
      token,
      body: { protocol: 1, name: 'alpha', publicKey: 'A'.repeat(43), facts, ...more },
    });
    const { token } = await make({});
    expect(token).toMatch(/^bjt_[\w-]{43}$/);
    expect(await client.problem('/v1/hosts/join', join('bjt_x'))).toMatchObject({ code: 'join-token.unknown' });
    expect(await client.problem('/v1/hosts/join', join(token, { protocol: 7 }))).toMatchObject({
      status: 409,
      code: 'protocol.version',
      detail: expect.stringMatching(/speaks protocol 7, the control plane \(\d+\.\d+\.\d+\) 1$/),
    });
    expect(await client.problem('/v1/hosts/join', join(token, { publicKey: 'short' }))).toMatchObject({
      status: 422,
      code: 'request.invalid',
      locations: [{ path: 'publicKey', message: 'expected 32 bytes in base64url' }],
    });
    expect((await client.ok(joinResponse, '/v1/hosts/join', join(token))).name).toBe('alpha');
    expect(await client.problem('/v1/hosts/join', join(token, { name: 'beta' }))).toMatchObject({
      status: 401,
      code: 'join-token.used',
    });
    const second = await make({});
    expect(await client.problem('/v1/hosts/join', join(second.token))).toMatchObject({
      status: 409,
      code: 'host.name-taken',
    });
    await client.ok(joinResponse, '/v1/hosts/join', join(second.token, { name: 'beta' }));
    const brief = await make({ expiresInMs: 1 });
    const late = await eventually(
      () => client.problem('/v1/hosts/join', join(brief.token)),
      (body) => body.code !== 'host.name-taken',
    );
    expect(late.code).toBe('join-token.expired');
    const { hosts } = await client.ok(hostList, '/v1/hosts');
    expect(hosts.map((host) => [host.name, host.state])).toEqual([
      ['alpha', 'joined'],
      ['beta', 'joined'],
    ]);
  });

  test('a connected host is ready with its images; a removed one is gone, and its name is free', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    await enrol(target, client, 'alpha');
    await eventually(
      () => client.ok(hostList, '/v1/hosts'),
      ({ hosts }) => hosts[0]?.state === 'ready',
    );
    expect((await client.ok(imageList, '/v1/images')).images).toMatchObject([{ id: hello.id, hosts: ['alpha'] }]);
    expect((await client.send('/v1/hosts/alpha', { method: 'DELETE' })).status).toBe(204);
    expect(await client.problem('/v1/hosts/alpha')).toMatchObject({ status: 404, code: 'host.unknown' });
    await enrol(target, client, 'alpha');
  });
}

function stackTests(open: () => Promise<ApiTarget>): void {
  test('an applied file becomes services and tasks; the same file changes nothing', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    await enrol(target, client, 'alpha');
    await enrol(target, client, 'beta');
    const { path, call } = client.apply('shop', compose(3), { message: 'first' });
    const first = await client.ok(applyResponse, path, call);
    expect(first).toMatchObject({ revision: 1, changed: true, services: [{ service: 'web', change: 'created' }] });
    const { tasks } = await client.ok(taskList, '/v1/tasks?stack=shop');
    expect(tasks.map((task) => task.slot)).toEqual([1, 2, 3]);
    expect(new Set(tasks.map((task) => task.host?.name))).toEqual(new Set(['alpha', 'beta']));
    const again = await client.ok(applyResponse, path, call);
    expect(again).toEqual({ ...first, changed: false, services: [{ service: 'web', change: 'unchanged' }] });
    expect((await client.ok(stackDetail, '/v1/stacks/shop')).config.services[0]?.replicas).toBe(3);
    expect((await client.ok(stackList, '/v1/stacks')).stacks).toMatchObject([
      { name: 'shop', revision: 1, message: 'first', appliedBy: 'admin', desiredReplicas: 3 },
    ]);
    expect((await client.ok(serviceList, '/v1/services?stack=shop')).services.length).toBe(1);
    const onAlpha = await client.ok(taskList, '/v1/tasks?host=alpha');
    expect(onAlpha.tasks.every((task) => task.host?.name === 'alpha')).toBe(true);
  });

  test('scaling makes a revision, and removal leaves no stack and no service', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    await enrol(target, client, 'alpha');
    const { path, call } = client.apply('shop', compose(1));
    await client.ok(applyResponse, path, call);
    const scale = { method: 'POST', body: { replicas: 2 } };
    const scaled = await client.ok(applyResponse, '/v1/stacks/shop/services/web/scale', scale);
    expect(scaled).toMatchObject({ revision: 2, changed: true, services: [{ service: 'web', change: 'scaled' }] });
    expect((await client.ok(taskList, '/v1/tasks')).tasks.length).toBe(2);
    expect(await client.problem('/v1/stacks/shop/services/db/scale', scale)).toMatchObject({
      code: 'service.unknown',
      remedy: 'It has: web.',
    });
    const stale = client.apply('shop', compose(5), { expectedRevision: 1 });
    expect(await client.problem(stale.path, stale.call)).toMatchObject({
      status: 409,
      code: 'stack.revision',
      detail: 'stack shop is at revision 2, not at revision 1',
    });
    expect((await client.send('/v1/stacks/shop', { method: 'DELETE' })).status).toBe(204);
    expect((await client.ok(stackList, '/v1/stacks')).stacks).toEqual([]);
    expect((await client.ok(serviceList, '/v1/services')).services).toEqual([]);
    expect((await client.ok(taskList, '/v1/tasks')).tasks.some((task) => task.desired)).toBe(false);
    expect(await client.problem('/v1/stacks/shop', { method: 'DELETE' })).toMatchObject({ code: 'stack.unknown' });
    const anew = client.apply('shop', compose(1), { expectedRevision: 0 });
    expect((await client.ok(applyResponse, anew.path, anew.call)).revision).toBe(3);
  });

  test('a slot for which no host qualifies is listed with the reason', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    await enrol(target, client, 'alpha');
    const { path, call } = client.apply('shop', compose(1));
    await client.ok(applyResponse, path, call);
    await client.send('/v1/hosts/alpha', { method: 'DELETE' });
    expect((await client.ok(taskList, '/v1/tasks')).pending).toEqual([
      { stack: 'shop', service: 'web', slot: 1, reason: 'no host is ready' },
    ]);
  });
}

function refusalTests(open: () => Promise<ApiTarget>): void {
  test('a file that cannot be applied is refused with every place that is wrong, and nothing is done', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    await enrol(target, client, 'alpha');
    const wrong = client.apply('shop', 'services:\n  web:\n    imagee: hello:1\n    ports: 80\n');
    const refused = await client.problem(wrong.path, wrong.call);
    expect(refused).toMatchObject({ status: 422, code: 'compose.invalid' });
    expect(refused.locations?.map((place) => [place.line, place.column])).toEqual([
      [2, 3],
      [3, 5],
      [4, 12],
    ]);
    const unknown = client.apply('shop', compose(1, 'nothing:9'));
    expect(await client.problem(unknown.path, unknown.call)).toMatchObject({
      status: 422,
      code: 'image.unknown',
      detail: 'image nothing:9 of service shop/web is on no host',
      remedy: expect.stringContaining('berth image load'),
    });
    const name = client.apply('Shop', compose(1));
    expect(await client.problem(name.path, name.call)).toMatchObject({ status: 422, code: 'request.invalid' });
    const good = client.apply('shop', compose(1));
    await client.ok(applyResponse, good.path, good.call);
    const other = client.apply('other', compose(1));
    expect(await client.problem(other.path, other.call)).toMatchObject({
      status: 409,
      code: 'port.taken',
      detail: 'host port 8080/tcp of service other/web is published by service shop/web already',
    });
    expect((await client.ok(stackList, '/v1/stacks')).stacks.map((stack) => stack.name)).toEqual(['shop']);
  });

  test('what is no request of the API is answered with a problem', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    expect(await client.problem('/v1/nothing')).toMatchObject({ status: 404, code: 'route.unknown' });
    expect(await client.problem('/v1/tokens', { method: 'POST', body: '{' })).toMatchObject({
      status: 422,
      code: 'request.malformed',
    });
    const large = { method: 'POST', body: { name: 'x'.repeat(300_000), scope: 'read' } };
    expect(await client.problem('/v1/tokens', large)).toMatchObject({ status: 413, code: 'request.too-large' });
    const compose = client.apply('shop', '#'.repeat(1024 * 1024 + 1));
    expect(await client.problem(compose.path, compose.call)).toMatchObject({ code: 'request.invalid' });
    const huge = client.apply('shop', '#'.repeat(3 * 1024 * 1024));
    expect(await client.problem(huge.path, huge.call)).toMatchObject({ status: 413, code: 'request.too-large' });
    expect(await client.problem('/v1/tasks?all=perhaps')).toMatchObject({ code: 'request.invalid' });
    expect(await client.problem('/v1/events?limit=1001')).toMatchObject({
      code: 'request.invalid',
      detail: 'limit: 1001 is too large; at most 1000',
    });
    expect(await client.problem('/v1/join-tokens', { method: 'POST', body: { expiresInMs: 0 } })).toMatchObject({
      detail: 'expiresInMs: 0 is too small; at least 1 ms',
    });
    expect(await client.problem('/v1/tokens', { method: 'POST', body: [] })).toMatchObject({
      detail: 'the body: must be an object, not a list',
    });
    expect((await client.send('/healthz', { token: undefined })).status).toBe(200);
    expect(await client.problem('/')).toMatchObject({ status: 404, code: 'route.unknown' });
    const wrong = await client.send('/v1/stacks/shop', { method: 'PATCH' });
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, PUT, DELETE, HEAD']);
    expect(problem.parse(await wrong.json())).toMatchObject({ status: 405, code: 'method.not-allowed' });
    const options = await client.send('/v1/stacks', { method: 'OPTIONS', token: undefined });
    expect([options.status, options.headers.get('allow'), await options.text()]).toEqual([204, 'GET, HEAD', '']);
    const head = await client.send('/v1/stacks', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const unauthenticated = await client.send('/v1/stacks', { method: 'HEAD', token: undefined });
    expect([unauthenticated.status, unauthenticated.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });

  test('the OpenAPI document names the answers of every operation', async () => {
    await using target = await open();
    const response = await new Client(target).send('/openapi.json');
    const { paths } = (await response.json()) as {
      paths: Record<string, Record<string, { responses: Record<string, object> }>>;
    };
    const statuses = (path: string, method: string) => Object.keys(paths[path]?.[method]?.responses ?? {});
    expect(statuses('/healthz', 'get')).toEqual(['200', '500', '503']);
    expect(statuses('/v1/stacks/{name}', 'put')).toEqual(['200', '401', '403', '409', '413', '422', '500', '503']);
    expect(statuses('/v1/stacks/{name}', 'delete')).toContain('404');
    for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
      expect(Object.keys(operation.responses)).toContain('500');
    }
  });

  test('a relay to what does not exist or is not connected is refused', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    const relay = (body: object) => ({ method: 'POST', body });
    const taskId = '0'.repeat(20);
    expect(await client.problem('/v1/relays', relay({ type: 'logs', taskId }))).toMatchObject({ code: 'task.unknown' });
    const load = relay({ type: 'image-load', host: 'alpha' });
    expect(await client.problem('/v1/relays', load)).toMatchObject({ code: 'host.unknown' });
    const { token } = await client.ok(createdJoinToken, '/v1/join-tokens', { method: 'POST', body: {} });
    const body = { protocol: 1, name: 'alpha', publicKey: 'A'.repeat(43), facts };
    await client.ok(joinResponse, '/v1/hosts/join', { method: 'POST', token, body });
    expect(await client.problem('/v1/relays', load)).toMatchObject({ status: 503, code: 'host.not-connected' });
    const reader = { method: 'POST', body: { name: 'reader', scope: 'read' } };
    const readerToken = (await client.ok(createdToken, '/v1/tokens', reader)).token;
    expect(await client.problem('/v1/relays', { ...load, token: readerToken })).toMatchObject({ code: 'token.scope' });
    const logs = { ...relay({ type: 'logs', taskId }), token: readerToken };
    expect(await client.problem('/v1/relays', logs)).toMatchObject({ code: 'task.unknown' });
  });
}

function eventTests(open: () => Promise<ApiTarget>): void {
  test('events tell what happened and why; a reader who waits gets the next one', async () => {
    await using target = await open();
    const client = await bootstrap(target);
    await enrol(target, client, 'alpha');
    const { events, cursor } = await client.ok(eventList, '/v1/events');
    expect(events.map((event) => event.kind)).toEqual([
      'token.created',
      'join-token.created',
      'host.joined',
      'host.connected',
    ]);
    expect(events.map((event) => event.cause.kind)).toEqual(['system', 'token', 'host', 'host']);
    const waiting = client.ok(eventList, `/v1/events?after=${cursor}&waitMs=20000&stack=shop`);
    const { path, call } = client.apply('shop', compose(1));
    await client.ok(applyResponse, path, call);
    expect((await waiting).events[0]).toMatchObject({ kind: 'stack.applied', subject: { stack: 'shop' } });
    const page = await client.ok(eventList, `/v1/events?after=0&limit=2`);
    expect(page.events.map((event) => event.id)).toEqual([1, 2]);
    expect(page.cursor).toBe(2);
    const later = await client.ok(eventList, `/v1/events?after=1000000&waitMs=1`);
    expect(later).toEqual({ events: [], cursor: 1_000_000 });
  });
}

/** What the HTTP API promises, on every runtime: `open` starts a control plane with an empty database. */
export function apiSuite(runtime: string, open: () => Promise<ApiTarget>): void {
  describe(`API on ${runtime}`, () => {
    tokenTests(open);
    hostTests(open);
    stackTests(open);
    refusalTests(open);
    eventTests(open);
  });
}
