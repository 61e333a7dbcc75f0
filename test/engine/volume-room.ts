import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';
import { hasClient28 } from '../support/docker-client.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';

/** An engine for tests of volumes, with an image `with-volumes:1` that declares two, and a directory of the host. */
export class VolumeRoom implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly engine: EngineUnderTest;
  readonly directory: string;

  private constructor(stack: AsyncDisposableStack, engine: EngineUnderTest, directory: string) {
    this.#stack = stack;
    this.engine = engine;
    this.directory = directory;
  }

  static async open(): Promise<VolumeRoom> {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'berth-volumes-'));
    stack.defer(() => rm(directory, { recursive: true }));
    const room = new VolumeRoom(stack, stack.use(await EngineUnderTest.runner()), directory);
    const archive = join(directory, 'image.tar');
    await writeFile(archive, imageArchive());
    await room.docker('load', '-q', '-i', archive);
    return new VolumeRoom(stack.move(), room.engine, directory);
  }

  outcome(...args: readonly string[]): Promise<Outcome> {
    return this.engine.run({ args });
  }

  /** What a command prints that succeeds, with nothing to warn of. */
  async docker(...args: readonly string[]): Promise<string> {
    const { exit, stdout, stderr } = await this.outcome(...args);
    if (exit !== 0 || stderr !== '') throw new Error(`docker ${args.join(' ')}: ${exit}: ${stderr}`);
    return stdout.trim();
  }

  /** What the daemon says against it. */
  async refusal(...args: readonly string[]): Promise<string> {
    const { exit, stderr } = await this.outcome(...args);
    if (exit === 0) throw new Error(`docker ${args.join(' ')} was not refused`);
    const [line = ''] = stderr.split('\n');
    // Clients before 28 put their advice behind a full stop on the same line.
    const text = line.replace(/^docker: /, '').replace(/^Error response from daemon: /, '');
    return hasClient28 ? text : text.replace(/\.$/, '');
  }

  /** Runs a script in a container of busybox, to its end. */
  inBusybox(options: readonly string[], script: string): Promise<string> {
    return this.docker('run', '--rm', ...options, 'busybox', 'sh', '-c', script);
  }

  async inspected(name: string, format: string): Promise<unknown> {
    return JSON.parse(await this.docker('inspect', '-f', `{{json ${format}}}`, name));
  }

  async volumeNames(...filters: readonly string[]): Promise<readonly string[]> {
    const words = filters.flatMap((filter) => ['--filter', filter]);
    return (await this.docker('volume', 'ls', '-q', ...words)).split('\n').filter(Boolean);
  }

  /** Removes whatever a test left, also one that failed. */
  async clear(): Promise<void> {
    const ids = (await this.docker('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await this.docker('rm', '-f', ...ids);
    const names = await this.volumeNames();
    if (names.length > 0) await this.docker('volume', 'rm', ...names);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function imageArchive(): Buffer {
  const files = [
    { name: 'data/', type: '5', mode: 0o2770, uid: 7, gid: 8 },
    { name: 'data/file', mode: 0o640, uid: 7, gid: 9, content: 'of the image\n', pax: { 'SCHILY.xattr.user.x': 'y' } },
    { name: 'data/link', type: '2', link: '../etc/passwd' },
  ];
  const config = { Volumes: { '/data': {}, '/declared': {} } };
  return dockerArchive([busyboxImage({ reference: 'with-volumes:1', config, files })]);
}
