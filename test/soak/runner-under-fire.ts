import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call } from '../support/call-socket.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { removeCgroups, unifiedRoot } from '../support/stage/containers.ts';
import { Daemon } from '../support/stage/daemon.ts';
import { waitUntil } from '../support/stage/wait-until.ts';

const repository = join(import.meta.dirname, '..', '..');
const startMs = 60_000;

/** A standalone runner that is killed and started again and again, in a network namespace and with a data root of its own. */
export class RunnerUnderFire implements AsyncDisposable {
  readonly directory: string;
  readonly dataRoot: string;
  readonly namespace: NetworkNamespace;
  #daemon: Daemon | undefined;
  #instance = '';

  private constructor(directory: string, dataRoot: string, namespace: NetworkNamespace) {
    this.directory = directory;
    this.dataRoot = dataRoot;
    this.namespace = namespace;
  }

  /** @param dataRoot one that stays; otherwise a new one, which goes with the rest */
  static async create(dataRoot?: string): Promise<RunnerUnderFire> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-soak-'));
    return new RunnerUnderFire(directory, dataRoot ?? join(directory, 'data'), await NetworkNamespace.create());
  }

  get socketPath(): string {
    return join(this.directory, 'socket');
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** Part of the names of all that the runner has outside of its data root. */
  get instance(): string {
    return this.#instance;
  }

  /** The directory in which each container has its cgroup. */
  async cgroup(): Promise<string> {
    return join((await unifiedRoot()) ?? '/sys/fs/cgroup', `berth-${this.#instance}`);
  }

  /** Starts it, unless it runs; resolves when it answers. */
  async start(): Promise<void> {
    if (this.#daemon?.isAlive === true) return;
    const enter = ['nsenter', `--net=/run/netns/${this.namespace.name}`] as const;
    const argv = [...enter, join(repository, 'bin', 'berth'), 'runner', '--standalone'] as const;
    const paths = ['--data-root', this.dataRoot, '--socket', this.socketPath];
    const daemon = new Daemon('runner', [...argv, ...paths], join(this.directory, 'runner.log'), process.env);
    this.#daemon = daemon;
    const answers = async (): Promise<string> => {
      daemon.assertAlive();
      const { body } = await call(this.socketPath, 'GET', '/info');
      return (body as { ID: string }).ID;
    };
    const options = { deadlineMs: startMs, signal: AbortSignal.timeout(startMs) };
    this.#instance = await waitUntil('the runner to answer', answers, options);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#daemon?.kill();
  }

  /** The end of what it has said. */
  async log(): Promise<string> {
    return (await readFile(join(this.directory, 'runner.log'), 'utf8')).slice(-4000);
  }

  /** What it has said that it could not do. */
  async errors(): Promise<readonly string[]> {
    const lines = (await readFile(join(this.directory, 'runner.log'), 'utf8')).split('\n');
    return lines.filter((line) => /^\S+ error /.test(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
    if (this.#instance !== '') await removeCgroups(this.#instance, AbortSignal.timeout(startMs));
    await this.namespace[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}
