import { BerthError } from '#shared/errors.ts';
import type { ShimLog } from '../launcher/launcher.ts';
import type { ContainerConfig } from './config.ts';
import type { LogConfig } from './log-config.ts';

/** How a container's log is written, and whether its rotated files are compressed. */
export interface LogPolicy extends ShimLog {
  readonly format: NonNullable<ShimLog['format']>;
  readonly compress: boolean;
}

export type LoggedContainer = Pick<ContainerConfig, 'log' | 'name' | 'image' | 'imageId' | 'labels' | 'environment'>;

const ownDefault: LogPolicy = { format: 'json-file', maxBytes: 16 * 1024 * 1024, maxFiles: 4, compress: false };

/** Of the `local` driver, where its options say nothing. */
const localDefault = { maxBytes: 20_000_000, maxFiles: 5 };

/** For how a log is read: what an older record says of it may no longer be valid. */
export function logDriver({ log }: Pick<ContainerConfig, 'log'>): LogConfig['driver'] {
  return log?.driver ?? 'json-file';
}

/**
 * What the options of a container's log mean (moby daemon/logger/jsonfilelog and /local).
 *
 * @throws BerthError `log.options` with dockerd's texts
 */
export function logPolicy(id: string, container: LoggedContainer): LogPolicy {
  const { log } = container;
  if (log === undefined) return ownDefault;
  switch (log.driver) {
    case 'none':
      return { format: 'none', maxBytes: 0, maxFiles: 1, compress: false };
    case 'local':
      return localPolicy(log.options);
    case 'json-file':
      return jsonFilePolicy(log.options, attributesOf(id, container, log.options));
    default:
      throw log.driver satisfies never;
  }
}

function jsonFilePolicy(options: LogConfig['options'], attributes: Readonly<Record<string, string>>): LogPolicy {
  const maxBytes = sizeOption(options['max-size'], 0);
  const maxFiles = filesOption(options['max-file'], 1);
  const compress = booleanOption(options['compress'], false);
  if (compress && (maxFiles === 1 || maxBytes === 0)) {
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  const text = Object.keys(attributes).length === 0 ? '' : JSON.stringify(sorted(attributes));
  return { format: 'json-file', maxBytes, maxFiles, compress, attributes: text };
}

function localPolicy(options: LogConfig['options']): LogPolicy {
  const maxBytes = sizeOption(options['max-size'], localDefault.maxBytes);
  const maxFiles = filesOption(options['max-file'], localDefault.maxFiles);
  const compress = booleanOption(options['compress'], true);
  if (compress && maxFiles === 1 && options['compress'] !== undefined) {
    throw invalid('compression cannot be enabled when max file count is 1');
  }
  return { format: 'local', maxBytes, maxFiles, compress: compress && maxFiles > 1 };
}

function sizeOption(text: string | undefined, otherwise: number): number {
  if (text === undefined || text === '') return otherwise;
  if (text === '-1') return 0;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text);
  const power = 'kmgtp'.indexOf((match?.[2] ?? '').toLowerCase() || '?') + 1;
  const bytes = Math.floor(Number(match?.[1] ?? Number.NaN) * 1000 ** power);
  if (Number.isSafeInteger(bytes)) {
    if (bytes > 0) return bytes;
    throw invalid('max-size must be a positive number');
  }
  throw invalid(`invalid size: '${text.slice(0, 40)}'`);
}

function filesOption(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[+-]?\d{1,9}$/.test(text)) {
    throw invalid(`strconv.Atoi: parsing ${JSON.stringify(text.slice(0, 40))}: invalid syntax`);
  }
  if (Number(text) < 1) throw invalid('max-file cannot be less than 1');
  return Number(text);
}

const truths = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const falsehoods = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function booleanOption(text: string | undefined, otherwise: boolean): boolean {
  if (text === undefined) return otherwise;
  if (truths.includes(text)) return true;
  if (falsehoods.includes(text)) return false;
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text.slice(0, 40))}: invalid syntax`);
}

/** The labels and variables that the options choose, and the tag (moby daemon/logger/loginfo.go, `ExtraAttributes`). */
function attributesOf(
  id: string,
  container: LoggedContainer,
  options: LogConfig['options'],
): Readonly<Record<string, string>> {
  const environment = Object.fromEntries(
    container.environment.flatMap((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [] : [[entry.slice(0, at), entry.slice(at + 1)]];
    }),
  ) as Record<string, string>;
  const attributes = {
    ...chosen(container.labels, options['labels'], options['labels-regex']),
    ...chosen(environment, options['env'], options['env-regex']),
  };
  const tag = options['tag'] ?? '';
  return tag === '' ? attributes : { ...attributes, tag: tagOf(id, container, tag) };
}

function chosen(
  values: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set((names ?? '').split(','));
  const expression = pattern ? regularExpression(pattern) : undefined;
  const entries = Object.entries(values).filter(([name]) => wanted.has(name) || expression?.test(name) === true);
  return Object.fromEntries(entries);
}

function regularExpression(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (cause) {
    throw invalid(`error parsing regexp: ${pattern.slice(0, 80)}`, cause);
  }
}

/** The fields of Go's template that a tag can have. */
function tagOf(id: string, container: LoggedContainer, template: string): string {
  const imageId = container.imageId.replace(/^sha256:/, '');
  const fields: Readonly<Record<string, string>> = {
    ID: id.slice(0, 12),
    FullID: id,
    Name: container.name,
    ImageID: imageId.slice(0, 12),
    ImageFullID: container.imageId,
    ImageName: container.image,
    DaemonName: 'docker',
  };
  return template.replaceAll(/\{\{-?\s*(.*?)\s*-?\}\}/g, (_text, expression: string) => {
    const value = fields[expression.replace(/^\./, '')];
    if (value !== undefined && expression.startsWith('.')) return value;
    throw invalid(`template: log-tag:1: can't evaluate ${JSON.stringify(expression.slice(0, 40))}`);
  });
}

/** As Go writes a map. */
function sorted(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function invalid(why: string, cause?: unknown): BerthError {
  return new BerthError('internal', 'log.options', `failed to initialize logging driver: ${why}`, { cause });
}

/** Of a container whose output is not kept. */
export function logUnreadable(): BerthError {
  const text = 'configured logging driver does not support reading';
  return new BerthError('unsupported', 'container.log-unreadable', text);
}
