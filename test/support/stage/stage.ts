import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { run, runOk, type CommandResult } from './command.ts';
import { removeCgroups } from './containers.ts';
import { Daemon } from './daemon.ts';
import { createPlayground, type Machine, type Playground } from './playground.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const berth = join(repository, 'bin', 'berth');
const CONTROL_PLANE_PORT = 7700;
const TAIL_LINES = 40;
const TAG_LENGTH = 5;
const CGROUP_DEADLINE_MS = 60_000;

/** A host: a pretended machine, and the data root of its runner. */
export interface Host extends Machine {
  readonly name: string;
  readonly dataRoot: string;
  /** The runner's Docker API. */
  readonly socketPath: string;
}

/**
 * A cluster of real programs on this machine, for the demo and for tests: a control plane and two hosts in network
 * namespaces. Disposing of it undoes all, in the reverse order, also when only a part has come to be.
 */
export class Stage implements AsyncDisposable {
  /** In the name of everything that is made. */
  readonly tag: string;
  readonly directory: string;
  readonly url: string;
  readonly hosts: readonly [Host, Host];
  readonly bootstrapSecret = crypto.randomUUID();
  readonly #playground: Playground;
  readonly #signal: AbortSignal;
  readonly #daemons = new Map<string, Daemon>();
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(tag: string, directory: string, playground: Playground, signal: AbortSignal) {
    const [a, b] = playground.machines;
    this.tag = tag;
    this.directory = directory;
    this.url = `http://${playground.address}:${CONTROL_PLANE_PORT}`;
    this.hosts = [hostOn(a, 'alpha', directory), hostOn(b, 'beta', directory)];
    this.#playground = playground;
    this.#signal = signal;
    const { BERTH_URL: _url, BERTH_TOKEN: _token, ...inherited } = process.env;
    this.#environment = {
      ...inherited,
      BERTH_CONFIG: this.configPath,
      BERTH_BOOTSTRAP_SECRET: this.bootstrapSecret,
      NO_COLOR: '1',
    };
  }

  static async create(signal: AbortSignal): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-stage-'));
    try {
      const tag = directory
        .slice(-TAG_LENGTH)
        .toLowerCase()
        .replaceAll(/[^a-z0-9]/g, 'x');
      return new Stage(tag, directory, await createPlayground(tag), signal);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  get configPath(): string {
    return join(this.directory, 'config.json');
  }

  /** Texts that are in every trace of it: for `expectNoResidue`. */
  get marks(): readonly string[] {
    return [this.directory, `berth-stage-${this.tag}`, `bd${this.tag}`, ...this.#instances];
  }

  #instances: readonly string[] = [];

  /** The control plane: in Node, or (`edge`) the Worker in its runtime, on this machine; `options` are further ones. */
  startControlPlane(edge: boolean, ...options: readonly string[]): Daemon {
    const listen = new URL(this.url).host;
    const program: [string, ...string[]] = edge
      ? [process.execPath, join(repository, 'control-plane/dev/edge.ts')]
      : [berth, 'control-plane'];
    const data = join(this.directory, 'cluster');
    return this.#start('control-plane', [...program, '--listen', listen, '--data', data, ...options]);
  }

  /** A runner, in the network namespace of its machine. `nsenter` becomes the program: its pid is the runner's. */
  startRunner(host: Host): Daemon {
    return this.#start(`runner-${host.name}`, [
      ...this.#on(host),
      berth,
      'runner',
      '--data-root',
      host.dataRoot,
      '--socket',
      host.socketPath,
    ]);
  }

  /** Runs `berth` on a host to its end. */
  berthOn(host: Host, ...args: readonly string[]): Promise<CommandResult> {
    return run([...this.#on(host), berth, ...args], { environment: this.#environment, signal: this.#signal });
  }

  /** Plugs a host's only cable in or out. */
  async plug(host: Host, connected: boolean): Promise<void> {
    await runOk(['ip', 'link', 'set', host.link, connected ? 'up' : 'down']);
  }

  /** Runs the client on this machine, with its own configuration, in the repository. */
  berth(...args: readonly string[]): Promise<CommandResult> {
    return run([berth, ...args], { environment: this.#environment, signal: this.#signal, directory: repository });
  }

  /** The client as a process that is not waited for; what it reads and writes is piped. */
  spawnBerth(...args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn(berth, args, { env: this.#environment, cwd: repository });
  }

  /** @throws Error when a daemon has ended by itself */
  assertAlive(): void {
    for (const daemon of this.#daemons.values()) daemon.assertAlive();
  }

  /** What the daemons said last. */
  async tails(): Promise<string> {
    const parts = await Promise.all(
      [...this.#daemons.values()].map(async (daemon) => `---- ${daemon.name}\n${await daemon.tail(TAIL_LINES)}`),
    );
    return parts.join('\n');
  }

  /** Every part is undone even when another could not be; then it rejects with what failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using parts = new AsyncDisposableStack(); // the last one is undone first
    parts.defer(() => rm(this.directory, { recursive: true, force: true }));
    parts.use(this.#playground);
    for (const host of this.hosts) parts.defer(() => killInNamespace(host.namespace));
    parts.defer(() => this.#removeCgroups());
    for (const daemon of this.#daemons.values()) parts.use(daemon); // the control plane was started first
  }

  async #removeCgroups(): Promise<void> {
    this.#instances = this.hosts.map((host) => instanceOf(host.dataRoot)).filter((id) => id !== undefined);
    for (const instance of this.#instances) await removeCgroups(instance, AbortSignal.timeout(CGROUP_DEADLINE_MS));
  }

  #on(host: Host): readonly [string, string] {
    // Not `ip netns exec`: that replaces /sys, and the cgroups with it.
    return ['nsenter', `--net=/run/netns/${host.namespace}`];
  }

  #start(name: string, argv: readonly [string, ...string[]]): Daemon {
    const daemon = new Daemon(name, argv, join(this.directory, `${name}.log`), this.#environment);
    this.#daemons.set(name, daemon);
    return daemon;
  }
}

function hostOn(machine: Machine, name: string, directory: string): Host {
  return { ...machine, name, dataRoot: join(directory, name), socketPath: join(directory, `${name}.sock`) };
}

/** The instance id that a runner keeps in its database; it names its cgroup. The runner has ended. */
function instanceOf(dataRoot: string): string | undefined {
  try {
    using database = new DatabaseSync(join(dataRoot, 'runner.db'), { timeout: 1000 });
    const row = database.prepare("select value from meta where key = 'instance'").get();
    return row === undefined ? undefined : String(row['value']);
  } catch {
    return undefined; // it never came so far
  }
}

/** Ends what is left in a machine: shims of containers that a failed run did not remove. */
async function killInNamespace(namespace: string): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'pids', namespace]);
  for (const pid of stdout.split('\n').filter((line) => /^\d+$/.test(line))) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
