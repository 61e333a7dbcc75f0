import { join } from 'node:path';
import { createdToken } from '#shared/api/tokens.ts';
import { createdJoinToken } from '#shared/api/hosts.ts';
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
const POLL_MS = 2;
const repository = join(import.meta.dirname, '..');

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

  /** Milliseconds from a write until `replicas` tasks of the stack run (and no other is left). */
  async timed(replicas: number, write: () => Promise<unknown>, signal: AbortSignal): Promise<number> {
    const from = performance.now();
    await write();
    for (;;) {
      signal.throwIfAborted();
      const { tasks } = taskList.parse(await this.call('GET', '/v1/tasks?stack=bench'));
      if (tasks.length === replicas && tasks.every((task) => task.state === 'running')) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return performance.now() - from;
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

const each: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  each.push(await cluster.timed(1, () => cluster.call('PUT', '/v1/stacks/bench', compose(1)), signal));
  await cluster.timed(0, () => cluster.call('DELETE', '/v1/stacks/bench'), signal);
}
const wide = await cluster.timed(WIDE, () => cluster.call('PUT', '/v1/stacks/bench', compose(WIDE)), signal);
await cluster.timed(0, () => cluster.call('DELETE', '/v1/stacks/bench'), signal);

console.log('\nAPI write -> the API says that all run (2 hosts, image present)');
printTable([
  ['replicas', 'median ms', 'p99 ms'],
  ['1', median(each).toFixed(0), quantile(each, 0.99).toFixed(0)],
  [String(WIDE), wide.toFixed(0), ''],
]);
