import { join } from 'node:path';
import { createdToken } from '#shared/api/tokens.ts';
import { createdJoinToken } from '#shared/api/hosts.ts';
import { eventList } from '#shared/api/events.ts';
import { taskList } from '#shared/api/stacks.ts';
import { Stage } from '../test/support/stage/stage.ts';
import { runOk } from '../test/support/stage/command.ts';
import { waitUntil } from '../test/support/stage/wait-until.ts';
import { median, printTable, quantile } from './statistics.ts';

/**
 * From the API write to the moment at which the API says that every replica runs: control plane and two hosts as real
 * processes on this machine, image present. No peer publishes this figure.
 */
const ROUNDS = 20;
const WIDE = 50;
const repository = join(import.meta.dirname, '..');

/** Milliseconds from the start of a write: the placement is stored, the last container runs, the API has said so. */
interface Timing {
  readonly decidedMs: number;
  readonly runsMs: number;
  readonly toldMs: number;
}

class Cluster {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  static async bootstrap(stage: Stage, signal: AbortSignal): Promise<Cluster> {
    const answer = await waitUntil(
      'the control plane',
      async () => {
        const response = await fetch(`${stage.url}/v1/bootstrap`, {
          method: 'POST',
          headers: { authorization: `Bearer ${stage.bootstrapSecret}`, 'content-type': 'application/json' },
          body: '{}',
        });
        return response.ok ? createdToken.parse(await response.json()) : undefined;
      },
      { signal },
    );
    return new Cluster(stage.url, answer.token);
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** What passes from a write until so many events of this kind were heard of the stack; a long poll, no load of its own. */
  async timed(event: string, count: number, write: () => Promise<unknown>): Promise<Timing> {
    let { cursor } = eventList.parse(await this.call('GET', '/v1/events?limit=1'));
    const [from, fromMs] = [performance.now(), Date.now()];
    let decidedMs = 0;
    await write();
    for (let seen = 0; seen < count;) {
      const news = eventList.parse(
        await this.call('GET', `/v1/events?stack=bench&limit=1000&waitMs=30000&after=${cursor}`),
      );
      cursor = news.cursor;
      seen += news.events.filter(({ kind }) => kind === event).length;
      for (const { kind, atMs } of news.events) if (kind === 'task.created') decidedMs = atMs - fromMs;
    }
    const { tasks } = taskList.parse(await this.call('GET', '/v1/tasks?stack=bench'));
    const observed = tasks.map((task) => (task.observedAtMs ?? fromMs) - fromMs);
    return { decidedMs, runsMs: Math.max(0, ...observed), toldMs: performance.now() - from };
  }
}

/** Ends at SIGTERM, which `sleep` as the first process would ignore for ten seconds. */
const command = JSON.stringify(['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait']);

const compose = (replicas: number): { compose: string } => ({
  compose: `services:\n  web:\n    image: hello:1\n    command: ${command}\n    healthcheck: { disable: true }\n    deploy: { replicas: ${replicas} }\n`,
});

const signal = AbortSignal.timeout(300_000);
await using stage = await Stage.create(signal);
stage.startControlPlane(false);
const cluster = await Cluster.bootstrap(stage, signal);
const archive = join(stage.directory, 'hello.tar');
await runOk([process.execPath, 'scripts/make-image.ts', '--reference', 'hello:1', '--output', archive], {
  directory: repository,
});
for (const host of stage.hosts) {
  const { token } = createdJoinToken.parse(await cluster.call('POST', '/v1/join-tokens', {}));
  const joined = await stage.berthOn(
    host,
    ...['runner', 'join', stage.url, '--token', token, '--name', host.name, '--data-root', host.dataRoot],
  );
  if (joined.exitCode !== 0) throw new Error(joined.stderr);
  stage.startRunner(host);
}
const { token } = createdToken.parse(await cluster.call('POST', '/v1/tokens', { name: 'bench', scope: 'admin' }));
await stage.berth('login', stage.url, '--token', token, '--name', 'bench');
await waitUntil(
  'the image on both hosts',
  async () => {
    const { exitCode } = await stage.berth('image', 'load', '-i', archive);
    const { hosts } = (await cluster.call('GET', '/v1/hosts')) as { hosts: { state: string }[] };
    return exitCode === 0 && hosts.every((host) => host.state === 'ready') ? true : undefined;
  },
  { signal },
);

const apply = (replicas: number): Promise<unknown> => cluster.call('PUT', '/v1/stacks/bench', compose(replicas));
const remove = (): Promise<unknown> => cluster.call('DELETE', '/v1/stacks/bench');
const each: Timing[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  each.push(await cluster.timed('task.running', 1, () => apply(1)));
  await cluster.timed('task.shutdown', 1, remove);
}
const wide = await cluster.timed('task.running', WIDE, () => apply(WIDE));
await cluster.timed('task.shutdown', WIDE, remove);

const columns = ['decidedMs', 'runsMs', 'toldMs'] as const;
const across = (replicas: string, value: string, of: (samples: number[]) => number): string[] => [
  ...[replicas, value],
  ...columns.map((column) => of(each.map((timing) => timing[column])).toFixed(0)),
];
console.log(
  '\nAPI write -> placement stored -> last container runs -> API says so (2 hosts, image present), milliseconds',
);
printTable([
  ['replicas', '', 'decided', 'runs', 'told'],
  across('1', 'best', (samples) => Math.min(...samples)),
  across('1', 'median', median),
  across('1', 'p99', (samples) => quantile(samples, 0.99)),
  [String(WIDE), 'once', ...columns.map((column) => wide[column].toFixed(0))],
]);
