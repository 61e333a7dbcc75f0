import { readFileSync } from 'node:fs';
import { BerthError, errorText } from '#shared/errors.ts';
import type { IdMapping } from '#shared/oci/runtime-spec.ts';

/** The ids of a user namespace: what is 0 and up in it is this on the host. */
export interface IdMappings {
  readonly uid: IdMapping;
  readonly gid: IdMapping;
}

/** Above the ids that systemd gives its containers, in which nobody on a host has an account or a range of subuid(5). */
const unownedRange: IdMapping = { containerID: 0, hostID: 0x7000_0000, size: 65_536 };

/** Ids for containers on a host that names none. */
export const defaultIdMappings: IdMappings = { uid: unownedRange, gid: unownedRange };

/**
 * The ids that `--userns-remap` names: `default`, or a user who has a range in /etc/subuid and, unless a group follows
 * a colon, in /etc/subgid.
 *
 * @throws BerthError `runner.userns-remap`
 */
export function idMappingsOf(name: string): IdMappings {
  if (name === 'default') return defaultIdMappings;
  const [user = '', group = user] = name.split(':', 2);
  return { uid: firstRange('/etc/subuid', user), gid: firstRange('/etc/subgid', group) };
}

function firstRange(path: string, owner: string): IdMapping {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw noRange(path, owner, errorText(cause), cause);
  }
  const range = parseSubordinateIds(text, owner);
  if (range === undefined) throw noRange(path, owner, 'it has no range there');
  return range;
}

/** The first range of an owner in subuid(5)'s format, undefined for none. */
export function parseSubordinateIds(text: string, owner: string): IdMapping | undefined {
  for (const line of text.split('\n')) {
    const match = /^([^:]+):(\d{1,10}):(\d{1,10})$/.exec(line.trim());
    if (match === null || match[1] !== owner) continue;
    const [hostID, size] = [Number(match[2]), Number(match[3])];
    if (size > 0 && hostID + size <= 2 ** 31) return { containerID: 0, hostID, size };
  }
  return undefined;
}

function noRange(path: string, owner: string, why: string, cause?: unknown): BerthError {
  const text = `--userns-remap: the ids of "${owner.slice(0, 80)}" in ${path}: ${why}`;
  const remedy = `Add a line such as "${owner.slice(0, 80)}:100000:65536" to it, or say --userns-remap default.`;
  return new BerthError('invalid', 'runner.userns-remap', text, { remedy, cause });
}
