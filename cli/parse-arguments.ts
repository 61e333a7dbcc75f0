import { BerthError, isBerthError } from '#shared/errors.ts';
import { globalOptions, type Command, type OptionSpec } from './command.ts';

export interface ParsedArguments {
  readonly args: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly options: Readonly<Record<string, unknown>>;
}

type Options = ReadonlyMap<string, OptionSpec>;

/** A mistake in how a command was called; exit code 2. */
export function usageError(command: string, message: string): BerthError {
  return new BerthError('invalid', 'cli.usage', message, {
    remedy: `Run \`berth ${command === '' ? '' : `${command} `}--help\`.`,
  });
}

/**
 * Options and arguments of one command, by its definition. Understands `--name value`, `--name=value`, `-n value`,
 * `-nvalue`, `-it` (several flags) and `--` (only arguments follow).
 *
 * @throws BerthError `cli.usage`, or what an option's own parser throws
 */
export function parseArguments(command: Command, argv: readonly string[]): ParsedArguments {
  const options: Options = new Map(Object.entries({ ...globalOptions, ...command.options }));
  const given = new Map<string, unknown>();
  const positionals: string[] = [];
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      positionals.push(...rest.splice(0));
    } else if (word.startsWith('--')) {
      takeLong(command, options, given, word, rest);
    } else if (word.startsWith('-') && word.length > 1) {
      takeShort(command, options, given, word, rest);
    } else {
      positionals.push(word);
      if (command.passThrough === true) {
        if (rest[0] === '--') rest.shift(); // as kubectl users write it: exec TASK -- ls -l
        positionals.push(...rest.splice(0));
      }
    }
  }
  const isHelp = given.get('help') === true;
  return {
    args: isHelp ? {} : takePositionals(command, positionals),
    options: Object.fromEntries(
      [...options].map(([name, spec]) => [name, given.get(name) ?? absentValue(spec)] as const),
    ),
  };
}

function absentValue(spec: OptionSpec): unknown {
  switch (spec.kind) {
    case 'flag':
      return false;
    case 'list':
      return [];
    case 'value':
      return undefined;
    default:
      return spec satisfies never;
  }
}

function takeLong(command: Command, options: Options, given: Map<string, unknown>, word: string, rest: string[]): void {
  const equals = word.indexOf('=');
  const name = word.slice(2, equals === -1 ? undefined : equals);
  const spec = options.get(name);
  if (spec === undefined) throw usageError(command.name, `${command.name}: there is no option --${name}`);
  if (spec.kind === 'flag') {
    if (equals !== -1) throw usageError(command.name, `${command.name}: the option --${name} takes no value`);
    given.set(name, true);
    return;
  }
  const text = equals === -1 ? rest.shift() : word.slice(equals + 1);
  store(command, given, name, spec, text, `--${name}`);
}

function takeShort(
  command: Command,
  options: Options,
  given: Map<string, unknown>,
  word: string,
  rest: string[],
): void {
  for (let at = 1; at < word.length; at += 1) {
    const letter = word.charAt(at);
    const [name, spec] = [...options].find(([, one]) => one.short === letter) ?? [];
    if (name === undefined || spec === undefined) {
      throw usageError(command.name, `${command.name}: there is no option -${letter}`);
    }
    if (spec.kind === 'flag') {
      given.set(name, true);
      continue;
    }
    const attached = word.slice(at + 1).replace(/^=/, '');
    store(command, given, name, spec, attached === '' ? rest.shift() : attached, `-${letter}`);
    return;
  }
}

function store(
  command: Command,
  given: Map<string, unknown>,
  name: string,
  spec: Exclude<OptionSpec, { kind: 'flag' }>,
  text: string | undefined,
  shown: string,
): void {
  if (text === undefined) {
    throw usageError(command.name, `${command.name}: the option ${shown} needs a value ${spec.metavar}`);
  }
  const value = parsed(`${command.name}: ${shown}`, spec, text);
  if (spec.kind === 'value') {
    if (given.has(name)) throw usageError(command.name, `${command.name}: the option ${shown} is given twice`);
    given.set(name, value);
    return;
  }
  const before = given.get(name);
  given.set(name, [...(Array.isArray(before) ? before : []), value]);
}

/** The value of an option; what is wrong with it is told with the option's name. */
function parsed(where: string, spec: Exclude<OptionSpec, { kind: 'flag' }>, text: string): unknown {
  try {
    return spec.parse(text);
  } catch (error) {
    if (!isBerthError(error)) throw error;
    const { kind, code, message, remedy } = error;
    throw new BerthError(kind, code, `${where}: ${message}`, {
      cause: error,
      ...(remedy === undefined ? {} : { remedy }),
    });
  }
}

function takePositionals(command: Command, words: readonly string[]): ParsedArguments['args'] {
  const values: Record<string, string | readonly string[] | undefined> = {};
  const rest = [...words];
  for (const [name, { arity }] of Object.entries(command.args)) {
    const isMissing = rest.length === 0 && (arity === 'one' || arity === 'some');
    if (isMissing) throw usageError(command.name, `${command.name}: the argument ${name} is missing`);
    values[name] = arity === 'one' || arity === 'optional' ? rest.shift() : rest.splice(0);
  }
  const [extra] = rest;
  if (extra !== undefined) throw usageError(command.name, `${command.name}: unexpected argument "${extra}"`);
  return values;
}
