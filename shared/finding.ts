import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** One thing that is wrong with a value, and where: `services[0].name`, or empty for the value itself. */
export interface Finding {
  readonly path: string;
  readonly message: string;
}

/** What a schema has against a value, in this project's words; pure. At most `limit` findings. */
export function findings(error: z.ZodError, value: unknown, limit = 20): readonly Finding[] {
  return error.issues.slice(0, limit).map((issue) => ({
    path: pathText(issue.path),
    message: messageOf(issue, at(value, issue.path)),
  }));
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index === 0 ? '' : '.'}${String(key)}`))
    .join('');
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[key];
  }
  return found;
}

function messageOf(issue: Issue, value: unknown): string {
  if (value === undefined && issue.path.length > 0 && issue.code !== 'custom') return 'is missing';
  switch (issue.code) {
    case 'too_big':
      return boundText(issue.origin, value, 'big', Number(issue.maximum), unitOf(issue));
    case 'too_small':
      return boundText(issue.origin, value, 'small', Number(issue.minimum), unitOf(issue));
    case 'invalid_type':
      return `must be ${typeText(issue.expected)}, not ${valueText(value)}`;
    case 'invalid_value':
      return `must be ${choiceText(issue.values)}, not ${valueText(value)}`;
    case 'invalid_union':
      return 'options' in issue && issue.options !== undefined
        ? `must be ${choiceText(issue.options)}, not ${valueText(value)}`
        : 'has none of the forms that are accepted here';
    case 'unrecognized_keys':
      return `has an unknown member ${issue.keys.map((key) => valueText(key)).join(', ')}`;
    case 'invalid_key':
      return `${valueText(String(issue.path.at(-1)))} cannot be a name here`;
    case 'invalid_format':
      // A schema's own text is better than any of zod's, which begin so.
      return issue.message.startsWith('Invalid ') ? `is not a valid ${issue.format}` : issue.message;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_element':
    case 'custom':
      return issue.message;
    default:
      return issue satisfies never;
  }
}

/** ` ms` where the name of what is bounded says so. */
function unitOf({ path }: Issue): string {
  return /[a-z]Ms$/.test(String(path.at(-1))) ? ' ms' : '';
}

function boundText(origin: string, value: unknown, over: 'big' | 'small', bound: number, unit: string): string {
  const limit = over === 'big' ? 'at most' : 'at least';
  switch (origin) {
    case 'string':
      if (value === '') return 'is empty';
      return `is too ${over === 'big' ? 'long' : 'short'}; ${limit} ${bound} characters`;
    case 'array':
    case 'set':
      return `has too ${over === 'big' ? 'many' : 'few'} entries; ${limit} ${bound}`;
    default:
      // A number in a URL is a text.
      return `${typeof value === 'string' ? value.slice(0, 60) : valueText(value)} is too ${over === 'big' ? 'large' : 'small'}; ${limit} ${bound}${unit}`;
  }
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
};

function typeText(type: string): string {
  return typeWords[type] ?? type;
}

function choiceText(choices: readonly unknown[]): string {
  const words = choices.map((choice) => JSON.stringify(choice));
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** A value as a message shows it: short, and never the inside of an object. */
function valueText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
    case 'number':
    case 'boolean':
      return String(value);
    case 'undefined':
      return 'nothing';
    default:
      if (value === null) return 'null';
      return Array.isArray(value) ? 'a list' : 'an object';
  }
}
