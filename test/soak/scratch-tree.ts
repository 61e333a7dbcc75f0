import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { removeCgroup } from '../../runner/os/cgroup.ts';
import { unifiedRoot } from '../support/stage/containers.ts';
import type { VitestReport } from './verdict.ts';
import type { Change, Weakening } from './weakening.ts';

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../..');

/** Longer than any of the tests takes, weakened or not: one that hangs ends by its own limit before. */
const MAX_RUN_MS = 600_000;

/** The programs that a weakening may change, and the builds of them that tests make. */
const programs = [
  ['runner/launcher/launcher.mk', 'build/bin/berth-launcher'],
  ['runner/launcher/launcher.mk', 'build/test/berth-launcher-sanitized'],
  ['runner/image/unpack.mk', 'build/bin/berth-unpack'],
  ['runner/image/unpack.mk', 'build/test/berth-unpack'],
  ['runner/archive/files.mk', 'build/bin/berth-files'],
  ['runner/init/init.mk', 'build/bin/berth-init'],
] as const;
/** With their times: make(1) goes by them. */
const keeping = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;
const shipped = programs.filter(([, target]) => target.startsWith('build/bin/'));

/**
 * A copy of the repository, in which defences can be taken out and tests run, each run as on a machine of its own
 * (sandbox.sh): what a weakened build does to it is gone with the run.
 */
export class ScratchTree implements AsyncDisposable {
  readonly directory: string;
  readonly #cgroups: string;
  /** Of the files that are changed now. */
  readonly #originals = new Map<string, string>();

  private constructor(directory: string, cgroups: string) {
    this.directory = directory;
    this.#cgroups = cgroups;
  }

  static async create(): Promise<ScratchTree> {
    const cgroups = await unifiedRoot();
    if (cgroups === undefined) throw new Error('this machine has no cgroup v2 hierarchy');
    const scratch = new ScratchTree(await mkdtemp(join(tmpdir(), 'berth-weakened-')), cgroups);
    try {
      await scratch.#fill();
    } catch (error) {
      await scratch[Symbol.asyncDispose]();
      throw error;
    }
    return scratch;
  }

  /** What the sandbox has as /tmp; the tree lies in it. */
  get #temporary(): string {
    return join(this.directory, 'tmp');
  }

  get #tree(): string {
    return join(this.#temporary, 'tree');
  }

  /** The unweakened programs. */
  get #built(): string {
    return join(this.directory, 'built');
  }

  async #fill(): Promise<void> {
    await mkdir(this.#tree, { recursive: true });
    await chmod(this.#temporary, 0o1777);
    const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
    const { stdout } = await run('git', list, { cwd: repository, maxBuffer: 2 ** 24 });
    for (const path of stdout.split('\0').filter((one) => one !== '' && existsSync(join(repository, one)))) {
      await mkdir(dirname(join(this.#tree, path)), { recursive: true });
      await cp(join(repository, path), join(this.#tree, path), keeping);
    }
    await symlink(await realpath(join(repository, 'node_modules')), join(this.#tree, 'node_modules'));
    for (const name of ['bin', 'test']) {
      const from = join(repository, 'build', name);
      if (existsSync(from)) await cp(from, join(this.#tree, 'build', name), keeping);
      else await mkdir(join(this.#tree, 'build', name), { recursive: true });
    }
    const client = join(repository, 'build/docker-client');
    if (existsSync(client)) await symlink(client, join(this.#tree, 'build/docker-client'));
    await this.#make(programs);
    await cp(join(this.#tree, 'build'), this.#built, keeping);
  }

  async #make(wanted: readonly (readonly [string, string])[]): Promise<void> {
    for (const [makefile, target] of wanted) await run('make', ['-s', '-f', makefile, target], { cwd: this.#tree });
  }

  /**
   * Changes the sources and builds what ships.
   *
   * @throws Error when a text is not there exactly once, or the weakened sources do not build
   */
  async weaken({ name, changes }: Pick<Weakening, 'name' | 'changes'>): Promise<void> {
    for (const change of changes) {
      const path = join(this.#tree, change.file);
      const text = await readFile(path, 'utf8');
      if (!this.#originals.has(path)) this.#originals.set(path, text);
      await writeFile(path, weakened(text, change));
    }
    await this.#make(shipped).catch((error: unknown) => {
      throw new Error(`the build without "${name}" fails: ${String((error as { stderr?: string }).stderr)}`);
    });
  }

  /** Sources and programs as they were. */
  async restore(): Promise<void> {
    for (const [path, text] of this.#originals) {
      await writeFile(path, text);
      await utimes(path, 0, 0); // older than any program
    }
    this.#originals.clear();
    const build = join(this.#tree, 'build');
    await rm(build, { recursive: true, force: true });
    await cp(this.#built, build, keeping);
  }

  /** Runs the tests of a file whose names hold this text. */
  async run({ project, file, name }: Weakening['test']): Promise<VitestReport> {
    const report = join(this.#temporary, 'report.json');
    const reporters = ['--reporter=json', '--outputFile=/tmp/report.json'];
    const config = ['--root', '/tmp/tree', '--config', '/tmp/tree/test/soak/told-in-full.config.ts'];
    const argv = ['run', ...config, '--project', project, file, '-t', literally(name), ...reporters];
    try {
      const output = await this.#inSandbox(['vitest', ...argv]);
      if (!existsSync(report)) throw new Error(`${file} made no report:\n${output}`);
      return JSON.parse(await readFile(report, 'utf8')) as VitestReport;
    } finally {
      await this.#sweep();
    }
  }

  /** Answers what was printed. */
  async #inSandbox(command: readonly string[]): Promise<string> {
    const cgroup = join(this.#cgroups, basename(this.directory));
    const path = ['/tmp/tree/node_modules/.bin', '/tmp/tree/build/docker-client/usr/bin', process.env['PATH']];
    await mkdir(cgroup);
    const child = spawn(join(import.meta.dirname, 'sandbox.sh'), [cgroup, this.#temporary, ...command], {
      cwd: this.#tree,
      env: { PATH: path.join(':'), HOME: '/root', LANG: 'C.UTF-8', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: AbortSignal.timeout(MAX_RUN_MS),
      killSignal: 'SIGKILL', // of unshare, whose --kill-child ends all the rest
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    try {
      await once(child, 'close');
    } finally {
      await removeCgroup(cgroup);
    }
    return output;
  }

  /** What a run has left in its /tmp. */
  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#temporary)) {
      if (name !== 'tree') await rm(join(this.#temporary, name), { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The regular expression that finds this text and no other. */
function literally(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}

/**
 * The text with the change made.
 *
 * @throws Error when what is to be replaced is not there, or more than once: the weakening has to follow the code
 */
export function weakened(text: string, { file, from, to }: Change): string {
  const found = text.split(from).length - 1;
  if (found !== 1) throw new Error(`${file} has ${found} times, not once:\n${from}`);
  return text.replace(from, () => to);
}
