import { BerthError } from '#shared/errors.ts';

/** The `filters` of a list: names with the values of which one must match. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Parses the `filters` parameter, a JSON map of lists, or of sets as clients before API 1.22 wrote it.
 *
 * @throws BerthError `docker.filters-invalid`, `docker.filter-unknown`
 */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  const filters = allFilters(text);
  const unknown = [...filters.keys()].find((name) => !known.includes(name));
  if (unknown === undefined) return filters;
  throw new BerthError('invalid', 'docker.filter-unknown', `invalid filter '${unknown}'`);
}

/** The same, without those that are not known. */
export function knownFilters(text: string | undefined, known: readonly string[]): Filters {
  return new Map([...allFilters(text)].filter(([name]) => known.includes(name)));
}

function allFilters(text: string | undefined): Filters {
  const filters = new Map<string, readonly string[]>();
  if (text === undefined || text === '') return filters;
  for (const [name, value] of Object.entries(jsonObject(text))) {
    filters.set(name, valuesOf(name, value));
  }
  return filters;
}

function valuesOf(name: string, value: unknown): readonly string[] {
  if (value === null) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  const isSet = typeof value === 'object' && !Array.isArray(value);
  if (isSet && Object.values(value).every((one) => typeof one === 'boolean')) return Object.keys(value);
  const text = `invalid filters: "${name}" is neither a list of texts nor a set of them`;
  throw new BerthError('invalid', 'docker.filters-invalid', text);
}

function jsonObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw new BerthError(
    'invalid',
    'docker.filters-invalid',
    `invalid filters: "${text.slice(0, 80)}" is no JSON object`,
  );
}

/** True when there is no such filter, or one of its values passes. */
export function passes(filters: Filters, name: string, test: (value: string) => boolean): boolean {
  const values = filters.get(name);
  return values === undefined || values.length === 0 || values.some(test);
}

/** `label=KEY` and `label=KEY=VALUE`: all of them must hold. */
export function passesLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  return (filters.get('label') ?? []).every((text) => hasLabel(labels, text));
}

/** `label!=…`: none of them may hold. */
export function passesNoLabels(filters: Filters, labels: Readonly<Record<string, string>>): boolean {
  return !(filters.get('label!') ?? []).some((text) => hasLabel(labels, text));
}

function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const at = text.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, text);
  const key = text.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === text.slice(at + 1);
}

/** `true`, `1` … or their opposites. */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const value = filters.get(name)?.[0];
  if (value === undefined) return undefined;
  if (['1', 'true', 't', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'false', 'f', 'FALSE', 'False'].includes(value)) return false;
  throw new BerthError('invalid', 'docker.filter-invalid', `invalid filter '${name}=${value}'`);
}
