import { mountAttributes, propagationFlags } from './linux-numbers.ts';

/** mount(8) option words, sorted into what the new mount API takes. */
export interface MountOptions {
  readonly bind: boolean;
  readonly recursive: boolean;
  /** Of the topmost mount. */
  readonly attributes: number;
  /** Of the mounts below a recursive bind, too. */
  readonly recursiveAttributes: number;
  readonly propagation: number;
  readonly parameters: readonly (readonly [key: string, value: string])[];
}

const setting = new Map<string, number>([
  ['ro', mountAttributes.readonly],
  ['nosuid', mountAttributes.nosuid],
  ['nodev', mountAttributes.nodev],
  ['noexec', mountAttributes.noexec],
  ['noatime', mountAttributes.noatime],
  ['strictatime', mountAttributes.strictatime],
  ['nodiratime', mountAttributes.nodiratime],
  ['nosymfollow', mountAttributes.nosymfollow],
]);

const clearing = new Map<string, number>([
  ['rw', mountAttributes.readonly],
  ['suid', mountAttributes.nosuid],
  ['dev', mountAttributes.nodev],
  ['exec', mountAttributes.noexec],
  ['atime', mountAttributes.noatime],
  ['diratime', mountAttributes.nodiratime],
]);

const propagations = new Map<string, number>([
  ['private', propagationFlags.private],
  ['rprivate', propagationFlags.private],
  ['slave', propagationFlags.slave],
  ['rslave', propagationFlags.slave],
  ['shared', propagationFlags.shared],
  ['rshared', propagationFlags.shared],
]);

/** Words that say what is so anyway, or that only mount(8) itself heeds. */
const ignored = new Set(['defaults', 'relatime', 'norelatime', 'async', 'nouser', 'auto', 'newinstance']);

/** Sorts the option words of an OCI mount; a later word wins over an earlier one. Unknown words are parameters. */
export function parseMountOptions(type: string, words: readonly string[]): MountOptions {
  let attributes = 0;
  let recursiveAttributes = 0;
  let propagation: number = propagationFlags.private;
  let bind = type === 'bind';
  let recursive = false;
  const parameters: [string, string][] = [];
  for (const word of words) {
    const set = setting.get(word);
    const clear = clearing.get(word);
    const shared = propagations.get(word);
    if (word === 'bind' || word === 'rbind') {
      bind = true;
      recursive ||= word === 'rbind';
    } else if (set !== undefined) attributes |= set;
    else if (word === 'rro') recursiveAttributes |= mountAttributes.readonly;
    else if (clear !== undefined) attributes &= ~clear;
    else if (shared !== undefined) propagation = shared;
    else if (!ignored.has(word)) {
      const equals = word.indexOf('=');
      parameters.push(equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)]);
    }
  }
  return { bind, recursive, attributes, recursiveAttributes, propagation, parameters };
}
