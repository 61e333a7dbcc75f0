import { BerthError } from '#shared/errors.ts';
import type { Propagation } from '../../../container/mount-config.ts';

/** What the words after the last colon of `SOURCE:DESTINATION:MODE` say. */
export interface MountMode {
  readonly readonly: boolean;
  readonly propagation: Propagation | undefined;
  readonly copy: boolean;
}

const propagations: readonly string[] = [
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
] satisfies Propagation[];

/** Of each group one word at most (moby volume/mounts, `linuxValidMountMode`). */
const groups: readonly (readonly string[])[] = [
  ['rw', 'ro'],
  ['Z', 'z'], // labels of SELinux, without an effect where there is none
  propagations,
  ['consistent', 'cached', 'delegated'], // of file sharing on other systems; without an effect
  ['nocopy'],
];

export function isPropagation(word: string): word is Propagation {
  return propagations.includes(word);
}

export function isMountMode(text: string): boolean {
  if (text === '') return true;
  const words = text.split(',');
  return (
    words.every((word) => groups.some((group) => group.includes(word))) &&
    groups.every((group) => words.filter((word) => group.includes(word)).length <= 1)
  );
}

/** @throws BerthError `docker.mount-invalid` */
export function parseMountMode(text: string): MountMode {
  if (!isMountMode(text)) throw invalidMount(`invalid mode: ${text.slice(0, 80)}`);
  const words = text.split(',');
  return {
    readonly: words.includes('ro'),
    propagation: words.find(isPropagation),
    copy: !words.includes('nocopy'),
  };
}

export function invalidMount(text: string): BerthError {
  return new BerthError('invalid', 'docker.mount-invalid', text);
}
