import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The two composition roots, by how each is started. */
export const CONTROL_PLANES = {
  node: ['bin/main.ts', 'control-plane'],
  edge: ['control-plane/dev/edge.ts'],
} as const;
export type ControlPlaneKind = keyof typeof CONTROL_PLANES;

/**
 * Timing that makes a test of leases short. Hosts must send a heartbeat each `heartbeatMs`; the lease is longer than a
 * busy machine leaves a process unscheduled.
 */
export const TEST_TIMING = { heartbeatMs: 300, leaseMs: 8_000 };

const START_MS = 120_000;
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** A control plane that runs as its own process, on a data directory of its own. */
export interface Target extends AsyncDisposable {
  readonly kind: ControlPlaneKind;
  /** `http://127.0.0.1:PORT`, the same after a restart. */
  readonly url: string;
  readonly bootstrapSecret: string;
  readonly pid: number;
  /** Its data directory. */
  readonly directory: string;
  /** Kills it with SIGKILL and starts it again on the same data and port. */
  crash(): Promise<void>;
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly pid: number;
}

/** Starts a control plane of this kind and waits until it listens. */
export async function startTarget(kind: ControlPlaneKind): Promise<Target> {
  const directory = await mkdtemp(join(tmpdir(), `berth-${kind}-`));
  let running = await start(kind, directory, 0);
  const port = Number(new URL(running.url).port);
  const bootstrapSecret = (await readFile(join(directory, 'bootstrap-secret'), 'utf8')).trim();
  return {
    kind,
    url: running.url,
    bootstrapSecret,
    directory,
    get pid() {
      return running.pid;
    },
    async crash() {
      await kill(running, 'SIGKILL');
      running = await start(kind, directory, port);
    },
    async [Symbol.asyncDispose]() {
      await kill(running, 'SIGTERM');
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function start(kind: ControlPlaneKind, directory: string, port: number): Promise<Running> {
  const timing = ['--heartbeat', `${TEST_TIMING.heartbeatMs}ms`, '--lease', `${TEST_TIMING.leaseMs}ms`];
  const address = ['--listen', `127.0.0.1:${port}`, '--data', directory];
  const child = spawn(process.execPath, ['--enable-source-maps', ...CONTROL_PLANES[kind], ...address, ...timing], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own: workerd is a child of the Node process, and must die with it
  });
  const log: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    log.push(line);
    if (process.env['BERTH_TEST_LOG'] !== undefined) process.stderr.write(`${kind}: ${line}\n`);
  });
  const url = await Promise.race([
    listeningAt(child),
    once(child, 'exit').then(() => Promise.reject(new Error(`${kind} did not start:\n${log.join('\n')}`))),
    once(AbortSignal.timeout(START_MS), 'abort').then(() => Promise.reject(new Error(`${kind} is not listening`))),
  ]);
  if (child.pid === undefined) throw new Error(`${kind} has no process`);
  return { child, url, pid: child.pid };
}

function listeningAt(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = /listening on (\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
}

async function kill({ child, pid }: Running, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  process.kill(signal === 'SIGKILL' ? -pid : pid, signal);
  await exited;
}
