import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startDockerd } from '../../bench/peer-dockerd.ts';
import { NetworkNamespace } from '../network/namespace.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import { removeCgroups } from '../support/stage/containers.ts';
import { Daemon } from '../support/stage/daemon.ts';
import { run } from '../support/stage/command.ts';
import { waitUntil } from '../support/stage/wait-until.ts';
import type { Step } from './step.ts';

const repository = join(import.meta.dirname, '..', '..');
const START_MS = 120_000;
/** Longest that one command of the client may take: a deadline, not a measurement. */
const COMMAND_MS = 150_000;

export const dockerdIsInstalled = existsSync('/usr/sbin/dockerd');

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A container engine that the stock client talks to, with the image `busybox:latest`. */
export class EngineUnderTest implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #directory: string;
  readonly socketPath: string;
  /** Starts the runner anew after its sudden end. */
  readonly #runAgain: (() => Promise<Daemon>) | undefined;
  /** Of the runner; 0 for another engine. */
  pid: number;
  /** The name of the runner's network namespace, where it publishes ports; empty for another engine. */
  readonly namespace: string;

  private constructor(
    stack: AsyncDisposableStack,
    directory: string,
    { socketPath, pid, namespace }: Pick<EngineUnderTest, 'socketPath' | 'pid' | 'namespace'>,
    runAgain?: () => Promise<Daemon>,
  ) {
    this.#runAgain = runAgain;
    this.#stack = stack;
    this.#directory = directory;
    this.socketPath = socketPath;
    this.pid = pid;
    this.namespace = namespace;
  }

  /**
   * A standalone runner, with more options, in a network namespace of its own; nothing of it is left afterwards.
   *
   * @param parent where its data root lies; absent: in a directory of its own
   */
  static async runner(options: readonly string[] = [], parent?: string): Promise<EngineUnderTest> {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'berth-cli-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const namespace = stack.use(await NetworkNamespace.create());
    const [dataRoot, socketPath] = [join(parent ?? directory, 'data'), join(directory, 'socket')];
    const cgroups = new AsyncDisposableStack();
    stack.use(cgroups);
    const start = (): Daemon => startRunner(namespace.name, dataRoot, socketPath, directory, options);
    let daemon = start();
    stack.defer(() => daemon[Symbol.asyncDispose]());
    cgroups.defer(() => removeCgroups(instanceOf(dataRoot), AbortSignal.timeout(START_MS)));
    const place = { socketPath, pid: daemon.pid, namespace: namespace.name };
    const engine = new EngineUnderTest(new AsyncDisposableStack(), directory, place);
    await engine.#ready(daemon);
    return new EngineUnderTest(stack.move(), directory, place, async () => {
      await daemon.kill();
      daemon = start();
      return daemon;
    });
  }

  /** Ends the runner as a crash would, and starts it again; its containers live on. */
  async crash(): Promise<void> {
    const daemon = await this.#runAgain?.();
    this.pid = daemon?.pid ?? 0;
    await this.#answers(daemon);
  }

  /** Debian's dockerd; undefined where it is not installed. */
  static async dockerd(): Promise<EngineUnderTest | undefined> {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'berth-cli-'));
    stack.defer(() => rm(directory, { recursive: true, force: true }));
    const dockerd = await startDockerd();
    if (dockerd === undefined) return undefined;
    stack.use(dockerd);
    const place = { socketPath: dockerd.socket, pid: 0, namespace: '' };
    const engine = new EngineUnderTest(new AsyncDisposableStack(), directory, place);
    await engine.#ready(undefined);
    return new EngineUnderTest(stack.move(), directory, place);
  }

  /** Runs the client to its end, or for as long as the step says. */
  async run(step: Step): Promise<Outcome> {
    const argv: [string, ...string[]] = ['docker', '-H', `unix://${this.socketPath}`, ...step.args];
    const environment = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#directory,
      DOCKER_CLI_HINTS: 'false',
      TERM: 'xterm',
    };
    const directory = await this.#workDirectory(step.files);
    const place = { env: environment, cwd: directory };
    if (step.terminal === true) return onTerminal(argv, place, step.keys ?? []);
    if (step.forMs !== undefined) return forAWhile(argv, place, step.forMs);
    if (step.signal !== undefined) return signalled(argv, place, step.signal, step.input ?? '');
    const timeout = AbortSignal.timeout(COMMAND_MS);
    const result = await run(argv, { environment, directory, input: step.input ?? '', signal: timeout });
    return { exit: result.exitCode, stdout: result.stdout, stderr: result.stderr };
  }

  /** Where the client runs, with these files in it. */
  async #workDirectory(files: Step['files'] = {}): Promise<string> {
    const directory = join(this.#directory, 'work');
    await mkdir(directory, { recursive: true });
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), content);
    }
    return directory;
  }

  async #ready(daemon: Daemon | undefined): Promise<void> {
    const archive = join(this.#directory, 'busybox.tar');
    await writeFile(archive, dockerArchive([busyboxImage({ reference: 'busybox:latest' })]));
    await this.#answers(daemon);
    const { exit, stderr } = await this.run({ args: ['load', '-q', '-i', archive] });
    if (exit !== 0) throw new Error(`docker load: ${stderr}`);
  }

  async #answers(daemon: Daemon | undefined): Promise<void> {
    const answers = async (): Promise<true> => {
      daemon?.assertAlive();
      const { exit, stderr } = await this.run({ args: ['version'] });
      if (exit !== 0) throw new Error(stderr);
      return true;
    };
    await waitUntil('the engine to answer', answers, { deadlineMs: START_MS, signal: AbortSignal.timeout(START_MS) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _ = this.#stack;
    // Whatever a failed run left must not outlive the engine.
    const { stdout } = await this.run({ args: ['ps', '-aq'] });
    const ids = stdout.split('\n').filter((id) => id !== '');
    if (ids.length > 0) await this.run({ args: ['rm', '-f', ...ids] });
  }
}

function startRunner(
  namespace: string,
  dataRoot: string,
  socketPath: string,
  directory: string,
  options: readonly string[],
): Daemon {
  const argv: [string, ...string[]] = [
    ...(['nsenter', `--net=/run/netns/${namespace}`, join(repository, 'bin', 'berth')] as const),
    ...['runner', '--standalone', '--data-root', dataRoot, '--socket', socketPath, ...options],
  ];
  return new Daemon('runner', argv, join(directory, 'runner.log'), process.env);
}

function instanceOf(dataRoot: string): string {
  using database = new DatabaseSync(join(dataRoot, 'runner.db'), { timeout: 1000 });
  return String(database.prepare("select value from meta where key = 'instance'").get()?.['value']);
}

interface Place {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** On a new pseudo-terminal, which python makes: node has none. */
async function onTerminal(
  argv: readonly string[],
  place: Place,
  keys: Exclude<Step['keys'], undefined>,
): Promise<Outcome> {
  const program = join(import.meta.dirname, 'terminal.py');
  const child = spawn('/usr/bin/python3', [program, JSON.stringify(keys), ...argv], {
    ...place,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = collect(child.stdout);
  const [code] = (await once(child, 'close')) as [number | null];
  return { exit: code ?? 128, stdout: output(), stderr: '' };
}

async function signalled(
  argv: readonly string[],
  place: Place,
  { after, afterError = '', name }: Exclude<Step['signal'], undefined>,
  input: string,
): Promise<Outcome> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    ...place,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: COMMAND_MS,
    killSignal: 'SIGKILL',
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const streams = [child.stdout, child.stderr];
  const whenSeen = (): void => {
    if (!(stdout().includes(after) && stderr().includes(afterError))) return;
    for (const stream of streams) stream.off('data', whenSeen);
    child.kill(name);
  };
  for (const stream of streams) stream.on('data', whenSeen);
  child.stdin.write(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { exit: code ?? 128, stdout: stdout(), stderr: stderr() };
}

async function forAWhile(argv: readonly string[], place: Place, ms: number): Promise<Outcome> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, {
    ...place,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: ms,
    killSignal: 'SIGKILL',
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  await once(child, 'close');
  return { exit: 0, stdout: stdout(), stderr: stderr() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => (text += piece));
  return () => text;
}
