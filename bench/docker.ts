import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { call as callOnce } from '../test/support/call-socket.ts';
import { EngineUnderTest } from '../test/docker-cli/engine.ts';
import { processTree, pssBytes } from './pss.ts';
import { median, printTable } from './statistics.ts';

/**
 * What a user of the stock docker client waits for, by the same socket calls and the same client to a runner and to
 * Debian's dockerd: `docker run --rm`, 100 containers by API, an exec, `docker ps` with 500 containers, and the memory of
 * the daemons with 100 running ones.
 */
const RUNS = 15;
const BURST = 100;
const AT_ONCE = 8;
const EXECS = 40;
const LISTED = 500;
/** A runner collects what its start used two seconds after it. */
const SETTLED_MS = 4000;

/** As clients do, connections are kept. */
const agent = new Agent({ keepAlive: true });

const call = (socketPath: string, method: string, path: string, body?: unknown) =>
  callOnce(socketPath, method, path, body, agent);

interface Figures {
  readonly runMs: number;
  readonly burstPerSecond: number;
  readonly execMs: number;
  readonly listMs: number;
  readonly idleBytes: number;
  readonly runningBytes: number;
}

type Daemons = () => Promise<readonly number[]>;

async function measure({ socketPath }: EngineUnderTest, daemons: Daemons): Promise<Figures> {
  await delay(SETTLED_MS);
  const idleBytes = await totalPss(daemons);
  await client(socketPath, 'run', '--rm', 'busybox', 'true');
  const runMs = await medianOf(RUNS, () => client(socketPath, 'run', '--rm', 'busybox', 'true'));
  const burstPerSecond = await burst(socketPath);
  const running = await Promise.all(
    Array.from({ length: BURST }, (_, index) => started(socketPath, `sleeper-${index}`, ['sleep', '100000'])),
  );
  const runningBytes = await totalPss(daemons);
  const execMs = await medianOf(EXECS, () => exec(socketPath, running[0] ?? ''));
  for (let index = BURST; index < LISTED; index += 1) await created(socketPath, `idle-${index}`, ['true']);
  const listMs = await medianOf(RUNS, () => client(socketPath, 'ps', '-a'));
  const { body } = await call(socketPath, 'GET', '/containers/json?all=1');
  for (const { Id } of body as { Id: string }[]) await call(socketPath, 'DELETE', `/containers/${Id}?force=1`);
  return { runMs, burstPerSecond, execMs, listMs, idleBytes, runningBytes };
}

async function medianOf(count: number, once: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const from = performance.now();
    await once();
    times.push(performance.now() - from);
  }
  return median(times);
}

async function client(socketPath: string, ...args: string[]): Promise<void> {
  const child = spawn('docker', ['-H', `unix://${socketPath}`, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${code}`);
}

async function created(socketPath: string, name: string, command: readonly string[]): Promise<string> {
  const { status, body } = await call(socketPath, 'POST', `/containers/create?name=${name}`, {
    Image: 'busybox:latest',
    Cmd: command,
  });
  if (status !== 201) throw new Error(`create ${name}: ${status} ${JSON.stringify(body)}`);
  return (body as { Id: string }).Id;
}

async function started(socketPath: string, name: string, command: readonly string[]): Promise<string> {
  const id = await created(socketPath, name, command);
  const { status, body } = await call(socketPath, 'POST', `/containers/${id}/start`);
  if (status !== 204) throw new Error(`start ${name}: ${status} ${JSON.stringify(body)}`);
  return id;
}

/** Containers a second, each created, started, waited for and removed. */
async function burst(socketPath: string): Promise<number> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < BURST) {
      next += 1;
      const id = await started(socketPath, `burst-${next}`, ['true']);
      await call(socketPath, 'POST', `/containers/${id}/wait`);
      await call(socketPath, 'DELETE', `/containers/${id}`);
    }
  };
  const from = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return (BURST * 1000) / (performance.now() - from);
}

/** From its creation to the end of its output. */
async function exec(socketPath: string, id: string): Promise<void> {
  const { body } = await call(socketPath, 'POST', `/containers/${id}/exec`, { Cmd: ['true'], AttachStdout: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const headers = { 'Content-Type': 'application/json', Connection: 'Upgrade', Upgrade: 'tcp' };
  const path = `/exec/${(body as { Id: string }).Id}/start`;
  const sent = request({ socketPath, method: 'POST', path, headers, agent: false });
  sent.on('upgrade', (_response, socket) => {
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.on('end', () => socket.end());
    socket.resume();
  });
  sent.on('error', reject);
  sent.end('{}');
  return promise;
}

async function totalPss(daemons: Daemons): Promise<number> {
  const sizes = await Promise.all((await daemons()).map((pid) => pssBytes(pid)));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The runner with its spawner and shims; not what runs in containers. */
function runnerProcesses({ pid }: EngineUnderTest): Daemons {
  return async () => {
    const own = new Set((await processTree(pid)).map((one) => one.pid));
    const shims = (await processTree(1)).filter(({ command }) => command.startsWith('berth-shim'));
    return [...own, ...shims.map((one) => one.pid)];
  };
}

const dockerdProcesses: Daemons = async () =>
  (await processTree(1))
    .filter(({ command }) => /^(dockerd|containerd|docker-proxy)/.test(command))
    .map(({ pid }) => pid);

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

const rowsOf = (figures: Figures): readonly string[] => [
  figures.runMs.toFixed(0),
  figures.burstPerSecond.toFixed(1),
  figures.execMs.toFixed(1),
  figures.listMs.toFixed(0),
  mebibytes(figures.idleBytes),
  mebibytes(figures.runningBytes),
];

async function oursFigures(): Promise<Figures> {
  // The first start after a change of the program compiles it, and has the compiler in its memory.
  await (await EngineUnderTest.runner())[Symbol.asyncDispose]();
  await using engine = await EngineUnderTest.runner();
  return await measure(engine, runnerProcesses(engine));
}

async function peerFigures(): Promise<Figures | undefined> {
  await using engine = await EngineUnderTest.dockerd();
  return engine === undefined ? undefined : await measure(engine, dockerdProcesses);
}

const ours = await oursFigures();
const peer = await peerFigures();
printTable([
  [
    'engine',
    'docker run ms',
    `${BURST} at ${AT_ONCE}: per s`,
    'exec ms',
    `ps of ${LISTED} ms`,
    'idle MiB',
    `with ${BURST} MiB`,
  ],
  ['berth', ...rowsOf(ours)],
  ...(peer === undefined ? [] : [['dockerd', ...rowsOf(peer)]]),
  ...(peer === undefined
    ? []
    : [
        [
          'berth better by',
          `${(peer.runMs / ours.runMs).toFixed(1)}x`,
          `${(ours.burstPerSecond / peer.burstPerSecond).toFixed(1)}x`,
          `${(peer.execMs / ours.execMs).toFixed(1)}x`,
          `${(peer.listMs / ours.listMs).toFixed(1)}x`,
          `${(peer.idleBytes / ours.idleBytes).toFixed(1)}x`,
          `${(peer.runningBytes / ours.runningBytes).toFixed(1)}x`,
        ],
      ]),
]);
