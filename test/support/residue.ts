import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/**
 * What a container platform can leave behind on a machine, as one line a thing: `mount …`, `netns …`, `link …`,
 * `nft …`, `cgroup …`, `process …`, `temp …`. Two snapshots are compared as sets of lines.
 */
export type Residue = ReadonlySet<string>;

export interface ResidueOptions {
  /**
   * Only lines that contain one of these texts count (an instance id, a temp directory's name). Give it where other
   * runners may live on the same machine; without it every new line counts.
   */
  readonly within?: readonly string[];
  /** How long things that are just going away may take. Default 60 s. */
  readonly deadlineMs?: number;
}

const run = promisify(execFile);
const POLL_MS = 50;

/** The names in a directory; none when it is not there. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** True for the errors of something that ended while it was being looked at. */
function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENODEV' || code === 'ESRCH' || code === 'ENOTDIR';
}

interface Mount {
  readonly type: string;
  readonly target: string;
  readonly options: string;
}

/** The mounts of this mount namespace (proc_pid_mountinfo(5)). */
async function mounts(): Promise<readonly Mount[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [mount = '', filesystem = ''] = line.split(' - ');
      const [type = '', , options = ''] = filesystem.split(' ');
      return { type, target: mount.split(' ')[4] ?? '', options };
    });
}

async function mountLines(): Promise<readonly string[]> {
  return (await mounts()).map((mount) => `mount ${mount.target} (${mount.type} ${mount.options})`);
}

async function netnsLines(): Promise<readonly string[]> {
  return (await namesIn('/run/netns')).map((name) => `netns ${name}`);
}

async function linkLines(): Promise<readonly string[]> {
  return (await namesIn('/sys/class/net')).map((name) => `link ${name}`);
}

async function nftLines(): Promise<readonly string[]> {
  const { stdout } = await run('nft', ['list', 'tables']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `nft ${line}`);
}

/** Every cgroup of the v2 hierarchy whose own name or an ancestor's holds "berth". */
async function cgroupLines(): Promise<readonly string[]> {
  const root = (await mounts()).find((mount) => mount.type === 'cgroup2')?.target;
  if (root === undefined) return [];
  const lines: string[] = [];
  const visit = async (path: string): Promise<void> => {
    for (const name of await directoriesIn(join(root, path))) {
      const child = join(path, name);
      if (child.includes('berth')) lines.push(`cgroup ${child}`);
      await visit(child);
    }
  };
  await visit('/');
  return lines;
}

async function directoriesIn(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * Processes with "berth" in an argument, or in a cgroup whose path holds it (a container's own processes say nothing of
 * Berth in their arguments). This process and its ancestors are not residue: they are looking.
 */
async function processLines(): Promise<readonly string[]> {
  const lines: string[] = [];
  const lookers = await ancestors(process.pid);
  for (const name of await namesIn('/proc')) {
    if (!/^\d+$/.test(name) || lookers.has(Number(name))) continue;
    try {
      const argv = (await readFile(`/proc/${name}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim();
      const cgroup = (await readFile(`/proc/${name}/cgroup`, 'utf8'))
        .split('\n')
        .find((line) => line.startsWith('0::'));
      const isOurs = argv.includes('berth') || (cgroup ?? '').includes('berth');
      if (isOurs) lines.push(`process ${name} ${argv} ${cgroup ?? ''}`.trimEnd());
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return lines;
}

async function ancestors(pid: number): Promise<ReadonlySet<number>> {
  const found = new Set<number>();
  let next = pid;
  while (next > 1 && !found.has(next)) {
    found.add(next);
    const status = await readFile(`/proc/${next}/status`, 'utf8');
    next = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0);
  }
  return found;
}

async function tempLines(): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const directory of new Set([tmpdir(), '/tmp', '/run'])) {
    for (const name of await namesIn(directory)) {
      if (name.includes('berth')) lines.push(`temp ${join(directory, name)}`);
    }
  }
  return lines;
}

/** Everything that is there now and could be ours. */
export async function snapshotResidue(): Promise<Residue> {
  const parts = await Promise.all([
    mountLines(),
    netnsLines(),
    linkLines(),
    nftLines(),
    cgroupLines(),
    processLines(),
    tempLines(),
  ]);
  return new Set(parts.flat());
}

/** The lines of `after` that were not in `before`; pure. */
export function newResidue(before: Residue, after: Residue, within?: readonly string[]): readonly string[] {
  return [...after].filter(
    (line) => !before.has(line) && (within === undefined || within.some((text) => line.includes(text))),
  );
}

/** What is there now and was not in `before`, once it has stopped shrinking to nothing or the deadline has passed. */
export async function leftBehind(before: Residue, options: ResidueOptions = {}): Promise<readonly string[]> {
  const deadline = performance.now() + (options.deadlineMs ?? 60_000);
  for (;;) {
    const left = newResidue(before, await snapshotResidue(), options.within);
    if (left.length === 0 || performance.now() > deadline) return left;
    await delay(POLL_MS);
  }
}

/**
 * Fails unless everything that came since `before` has gone again.
 *
 * @throws Error that lists what is left
 */
export async function expectNoResidue(before: Residue, options: ResidueOptions = {}): Promise<void> {
  const left = await leftBehind(before, options);
  if (left.length > 0) throw new Error(`left behind:\n  ${left.join('\n  ')}`);
}
