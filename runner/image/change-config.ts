import { posix } from 'node:path';
import type { BerthError } from '#shared/errors.ts';
import { badChange, changeWords, jsonWords } from './change-words.ts';

/** What an image says of how to run it: the part of its config that `--change` can change. */
export interface RunConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Readonly<Record<string, never>>>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, Readonly<Record<string, never>>>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly OnBuild?: readonly string[];
  readonly Healthcheck?: Healthcheck;
}

interface Healthcheck {
  readonly Test: readonly string[];
  /** Nanoseconds, as the other durations. */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** One instruction's effect. `before`: the names of the instructions that went before it. */
type Change = (config: RunConfig, text: string, before: ReadonlySet<string>) => RunConfig;

const environmentOf = (config: RunConfig): ReadonlyMap<string, string> =>
  new Map(
    (config.Env ?? []).map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );

const words = (config: RunConfig, text: string): readonly string[] => changeWords(text, environmentOf(config));

function commandOf(text: string): readonly string[] {
  return jsonWords(text) ?? (text === '' ? [] : ['/bin/sh', '-c', text]);
}

/** `NAME=value …`, or the old `NAME value`. */
function pairs(config: RunConfig, name: string, text: string): readonly (readonly [string, string])[] {
  const [, first = '', rest = ''] = /^(\S+)(?:\s+(.*))?$/s.exec(text) ?? [];
  if (!first.includes('=')) {
    if (rest === '') throw badChange(`${name} must have two arguments`);
    return [[first, words(config, rest).join(' ')]];
  }
  return words(config, text).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) throw badChange(`Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    if (equals === 0) throw badChange(`${name} names can not be blank`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** `80`, `80/udp`, `8000-8010/tcp`. */
function ports(text: string): readonly string[] {
  const invalid = (): BerthError => badChange(`invalid containerPort: ${text}`);
  const [, from = '', to = from, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z]+))?$/.exec(text) ?? [];
  if (from === '' || Number(from) > Number(to) || Number(to) > 65_535 || Number(from) < 1) throw invalid();
  if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) throw badChange(`invalid proto: ${protocol}`);
  return Array.from(
    { length: Number(to) - Number(from) + 1 },
    (_, index) => `${Number(from) + index}/${protocol.toLowerCase()}`,
  );
}

const asSet = (names: readonly string[]): Record<string, Record<string, never>> =>
  Object.fromEntries(names.map((name) => [name, {}]));

const unitNanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** A duration as Go writes it (`1m30s`), in nanoseconds. */
function duration(flag: string, text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) throw badChange(`time: invalid duration "${text}"`);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, value, unit = '']) => sum + Number(value) * (unitNanoseconds[unit] ?? 0), 0);
  if (total < 1e6) throw badChange(`Interval "${flag}" cannot be less than 1ms`);
  return Math.round(total);
}

const healthFlags = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
} as const;

function healthcheck(text: string): Healthcheck {
  const limits: Record<string, number> = {};
  let rest = text;
  for (let flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest); flag !== null; flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest)) {
    const [whole, name = '', value = ''] = flag;
    const field = healthFlags[name as keyof typeof healthFlags] as string | undefined;
    if (field !== undefined) limits[field] = duration(name, value);
    else if (name !== 'retries') throw badChange(`unknown flag: --${name}`);
    else if (!/^\d{1,6}$/.test(value) || Number(value) < 1) throw badChange('--retries must be at least 1 (not 0)');
    else limits['Retries'] = Number(value);
    rest = rest.slice(whole.length);
  }
  const [, kind = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  if (kind.toUpperCase() === 'NONE') {
    if (command !== '') throw badChange('HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  if (kind.toUpperCase() !== 'CMD') {
    throw badChange(
      kind === ''
        ? 'HEALTHCHECK requires at least one argument'
        : `Unknown type "${kind.toUpperCase()}" in HEALTHCHECK (try CMD)`,
    );
  }
  if (command === '') throw badChange('Missing command after HEALTHCHECK CMD');
  const list = jsonWords(command);
  return { ...limits, Test: list === undefined ? ['CMD-SHELL', command] : ['CMD', ...list] };
}

function onBuild(text: string): string {
  const trigger = (/^\S+/.exec(text)?.[0] ?? '').toUpperCase();
  if (trigger === 'ONBUILD') throw badChange("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'FROM' || trigger === 'MAINTAINER') throw badChange(`${trigger} isn't allowed as an ONBUILD trigger`);
  return text;
}

function single(config: RunConfig, name: string, text: string): string {
  const [word, ...more] = words(config, text);
  if (word === undefined || more.length > 0) throw badChange(`${name} requires exactly one argument`);
  return word;
}

const changes: Readonly<Record<string, Change>> = {
  CMD: (config, text) => ({ ...config, Cmd: commandOf(text) }),
  // An entry point of its own takes away the command that was meant for another.
  ENTRYPOINT: (config, text, before) => ({
    ...config,
    Entrypoint: commandOf(text),
    ...(before.has('CMD') ? {} : { Cmd: null }),
  }),
  ENV: (config, text) => {
    const environment = new Map(environmentOf(config));
    for (const [name, value] of pairs(config, 'ENV', text)) environment.set(name, value);
    return { ...config, Env: [...environment].map(([name, value]) => `${name}=${value}`) };
  },
  EXPOSE: (config, text) => ({
    ...config,
    ExposedPorts: { ...config.ExposedPorts, ...asSet(words(config, text).flatMap(ports)) },
  }),
  HEALTHCHECK: (config, text) => ({ ...config, Healthcheck: healthcheck(text) }),
  LABEL: (config, text) => ({
    ...config,
    Labels: { ...config.Labels, ...Object.fromEntries(pairs(config, 'LABEL', text)) },
  }),
  ONBUILD: (config, text) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), onBuild(text)] }),
  STOPSIGNAL: (config, text) => ({ ...config, StopSignal: single(config, 'STOPSIGNAL', text) }),
  USER: (config, text) => ({ ...config, User: single(config, 'USER', text) }),
  VOLUME: (config, text) => {
    const names = jsonWords(text) ?? words(config, text);
    if (names.some((name) => name === '')) throw badChange('VOLUME specified can not be an empty string');
    return { ...config, Volumes: { ...config.Volumes, ...asSet(names) } };
  },
  WORKDIR: (config, text) => ({
    ...config,
    WorkingDir: posix.resolve('/', config.WorkingDir ?? '', words(config, text).join(' ')),
  }),
};

/** Instructions one a line; a backslash at a line's end goes on with the next, and `#` begins a comment's line. */
function instructions(texts: readonly string[]): readonly string[] {
  return texts
    .join('\n')
    .replaceAll(/^\s*#.*$/gm, '')
    .replaceAll(/\\[ \t]*\r?\n/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/**
 * A config after Dockerfile instructions of `docker commit --change` and `docker import --change` (moby
 * builder/dockerfile, `BuildFromConfig`).
 *
 * @throws BerthError `image.change-invalid`
 */
export function changeConfig(config: RunConfig, texts: readonly string[]): RunConfig {
  const before = new Set<string>();
  let changed = config;
  for (const line of instructions(texts)) {
    const [, written = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
    const name = written.toUpperCase();
    const change = Object.hasOwn(changes, name) ? changes[name] : undefined;
    if (change === undefined) throw badChange(`${written} is not a valid change command`);
    if (rest === '' && name !== 'CMD' && name !== 'ENTRYPOINT')
      throw badChange(`${name} requires at least one argument`);
    changed = change(changed, rest, before);
    before.add(name);
  }
  return changed;
}
