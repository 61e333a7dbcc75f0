import type { OnDisconnect, RestartPolicy } from '#shared/model/service.ts';
import { durationOf } from './healthcheck.ts';
import type { ComposeSource, Place } from './source.ts';
import { splitWords } from './words.ts';

/** `command` and `entrypoint`: a list of words, or a text that is split as a shell would. */
export function readCommand(source: ComposeSource, place: Place): string[] | undefined {
  if (source.isNull(place)) return undefined; // as if it were not there (compose-spec, "command")
  if (source.isList(place)) {
    const words = (source.list(place, 'a list') ?? []).map((item) => source.scalar(item));
    return words.includes(undefined) ? undefined : (words as string[]);
  }
  const text = source.text(place, 'a text or a list of texts');
  if (text === undefined) return undefined;
  return splitWords(text) ?? source.fail(place, 'a quote is not closed, or a backslash ends the text');
}

/** `environment` and `labels`: a mapping, or a list of `NAME=value`. `bare` is what a name without a value means. */
export function readVariables(source: ComposeSource, place: Place, bare: '' | 'refused'): Record<string, string> {
  const found = source.isList(place) ? readList(source, place) : readMapping(source, place);
  const values = new Map<string, string>();
  for (const { at, name, value } of found) {
    // Readers of JSON drop a `__proto__`: the host's digest of its assignment would never be the control plane's.
    if (name === '' || name === '__proto__' || /[=\0]/.test(name))
      source.fail(at, `${JSON.stringify(name)} is not a name`);
    else if (value !== undefined) values.set(name, value);
    else if (bare === '') values.set(name, '');
    else source.fail(at, `${name} has no value; values are not taken from a shell, write one ("" for an empty one)`);
  }
  return Object.fromEntries(values);
}

interface Variable {
  readonly at: Place;
  readonly name: string;
  readonly value: string | undefined;
}

function readList(source: ComposeSource, place: Place): Variable[] {
  return (source.list(place, 'a list') ?? []).flatMap((at): Variable[] => {
    const text = source.text(at, 'a text NAME=value');
    if (text === undefined) return [];
    const equals = text.indexOf('=');
    if (equals < 0) return [{ at, name: text, value: undefined }];
    return [{ at, name: text.slice(0, equals), value: text.slice(equals + 1) }];
  });
}

function readMapping(source: ComposeSource, place: Place): Variable[] {
  return (source.entries(place, 'a mapping or a list of NAME=value') ?? []).flatMap((entry): Variable[] => {
    if (source.isNull(entry)) return [{ at: entry, name: entry.key, value: undefined }];
    const value = source.scalar(entry);
    return value === undefined ? [] : [{ at: entry, name: entry.key, value }];
  });
}

/** `restart`. */
export function readRestart(source: ComposeSource, place: Place): RestartPolicy | undefined {
  const text = source.text(place, '"no", always, unless-stopped, on-failure or on-failure:COUNT');
  if (text === undefined) return undefined;
  if (text === 'no' || text === 'always' || text === 'unless-stopped') return { kind: text };
  const match = /^on-failure(?::([1-9]\d{0,5}))?$/.exec(text);
  if (match === null) {
    return source.fail(place, `${text} is not a restart policy: "no", always, unless-stopped, on-failure[:COUNT]`);
  }
  return { kind: 'on-failure', ...(match[1] === undefined ? {} : { maxRetries: Number(match[1]) }) };
}

/** `x-berth`: what Compose has no word for. */
export function readOnDisconnect(source: ComposeSource, place: Place): OnDisconnect | undefined {
  const at = source.members(place, ['on_disconnect'])?.get('on_disconnect');
  if (at === undefined) return undefined;
  const expected = 'keep, "replace-after DURATION" or "stop-after DURATION"';
  const text = source.text(at, expected);
  if (text === undefined) return undefined;
  if (text === 'keep') return { kind: 'keep' };
  const match = /^(replace-after|stop-after) +(\S+)$/.exec(text);
  if (match === null) return source.fail(at, `expected ${expected}, found ${JSON.stringify(text.slice(0, 80))}`);
  const afterMs = durationOf(source, at, match[2] ?? '', 0);
  if (afterMs === undefined) return undefined;
  return { kind: match[1] === 'stop-after' ? 'stop-after' : 'replace-after', afterMs };
}
