import { invalidMount } from './mount-mode.ts';

/** mount(8) words that set or clear a flag; of those with the same number the last one counts. */
const flags: ReadonlyMap<string, string> = new Map([
  ...pair('ro', 'rw'),
  ...pair('suid', 'nosuid'),
  ...pair('dev', 'nodev'),
  ...pair('exec', 'noexec'),
  ...pair('sync', 'async'),
  ...pair('dirsync', 'dirsync'),
  ...pair('remount', 'remount'),
  ...pair('mand', 'nomand'),
  ...pair('atime', 'noatime'),
  ...pair('diratime', 'nodiratime'),
  ...pair('bind', 'rbind'),
  ...pair('relatime', 'norelatime'),
  ...pair('strictatime', 'nostrictatime'),
  ...['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'].map(
    (word): [string, string] => [word, 'propagation'],
  ),
]);

const values = new Set(['mode', 'uid', 'gid', 'size', 'nr_inodes', 'nr_blocks', 'mpol']);

function pair(one: string, other: string): [string, string][] {
  return [
    [one, one],
    [other, one],
  ];
}

/**
 * The words of a tmpfs, each thing said once, the last time (moby pkg/mount, `MergeTmpfsOptions`).
 *
 * @throws BerthError `docker.mount-invalid` with Docker's text
 */
export function mergeTmpfsOptions(words: readonly string[]): string[] {
  const seen = new Set<string>();
  const kept: string[] = [];
  for (const word of words.toReversed()) {
    if (word === 'defaults') continue;
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    const subject = at < 0 ? flags.get(word) : values.has(name) ? `=${name}` : undefined;
    if (subject === undefined) {
      const parts = at < 0 ? [word] : [name, word.slice(at + 1)];
      throw invalidMount(`invalid tmpfs option [${parts.map((part) => JSON.stringify(part)).join(' ')}]`);
    }
    if (seen.has(subject)) continue;
    seen.add(subject);
    kept.unshift(word);
  }
  return kept;
}

/** TmpfsOptions of a mount. */
export interface TmpfsOptions {
  readonly SizeBytes?: number | null | undefined;
  readonly Mode?: number | null | undefined;
  readonly Options?: readonly (readonly string[])[] | null | undefined;
}

/**
 * The same from the fields of a mount (moby volume/mounts, `ConvertTmpfsOptions`).
 *
 * @throws BerthError `docker.mount-invalid`
 */
export function tmpfsWords(options: TmpfsOptions | null | undefined): string[] {
  const words: string[] = [];
  if (options?.Mode) words.push(`mode=${options.Mode.toString(8)}`);
  if (options?.SizeBytes) words.push(`size=${options.SizeBytes}`);
  for (const option of options?.Options ?? []) {
    const [name = '', value] = option;
    if (option.length < 1 || option.length > 2) throw invalidMount('invalid option array length');
    if (!['exec', 'noexec'].includes(name) || value !== undefined) {
      throw invalidMount(`invalid option: ${JSON.stringify(option.join('='))}`);
    }
    words.push(name);
  }
  return words;
}
