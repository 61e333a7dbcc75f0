import type { Client } from './client.ts';
import type { ContextStore } from './context-store.ts';
import type { Terminal } from './terminal.ts';

/** An option that is either given or not. */
export interface FlagOption {
  readonly kind: 'flag';
  readonly short?: string;
  readonly summary: string;
}

/** An option with a value, parsed at once so that a wrong one is a usage error. */
export interface ValueOption<Value> {
  readonly kind: 'value';
  readonly short?: string;
  readonly metavar: string;
  readonly summary: string;
  readonly parse: (text: string) => Value;
}

/** An option with a value that may be given several times. */
export interface ListOption<Value> {
  readonly kind: 'list';
  readonly short?: string;
  readonly metavar: string;
  readonly summary: string;
  readonly parse: (text: string) => Value;
}

export type OptionSpec = FlagOption | ValueOption<unknown> | ListOption<unknown>;
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

export type OptionValues<Specs extends OptionSpecs> = {
  readonly [Name in keyof Specs]: Specs[Name] extends FlagOption
    ? boolean
    : Specs[Name] extends ListOption<infer Value>
      ? readonly Value[]
      : Specs[Name] extends ValueOption<infer Value>
        ? Value | undefined
        : never;
};

/** A positional argument. Only the last one may be `optional`, `some` (one or more) or `any` (none or more). */
export interface ArgumentSpec {
  readonly arity: 'one' | 'optional' | 'some' | 'any';
  readonly summary: string;
}
export type ArgumentSpecs = Readonly<Record<string, ArgumentSpec>>;

export type ArgumentValues<Specs extends ArgumentSpecs> = {
  readonly [Name in keyof Specs]: Specs[Name]['arity'] extends 'one'
    ? string
    : Specs[Name]['arity'] extends 'optional'
      ? string | undefined
      : readonly string[];
};

/** Options that every command takes. */
export const globalOptions = {
  json: { kind: 'flag', summary: 'Print JSON for programs, not tables for people' },
  context: {
    kind: 'value',
    metavar: 'NAME',
    summary: 'Use this context, not the current one',
    parse: (text: string) => text,
  },
  help: { kind: 'flag', short: 'h', summary: 'Print how to use the command' },
} as const satisfies OptionSpecs;

/** What a handler works with, made once a process by `main.ts`. */
export interface Session {
  /** All of the client's commands, for the one that explains them. */
  readonly commands: readonly Command[];
  readonly terminal: Terminal;
  readonly contexts: ContextStore;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  /** The control plane of the chosen context. @throws BerthError `context.none`, `context.unknown` */
  readonly connect: () => Promise<Client>;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

export interface Invocation<Arguments extends ArgumentSpecs, Options extends OptionSpecs> {
  readonly args: ArgumentValues<Arguments>;
  readonly options: OptionValues<Options> & OptionValues<typeof globalOptions>;
  readonly session: Session;
}

interface CommandText {
  /** The verb, or noun and verb (`host ls`). */
  readonly name: string;
  /** Another name for the same command (`ls` for `stack ls`). */
  readonly alias?: string;
  /** One line, imperative, with no full stop. */
  readonly summary: string;
  /** More, for its own help page. */
  readonly description?: string;
  readonly examples?: readonly string[];
  /** Everything after the first argument is an argument, even if it looks like an option (`exec TASK ls -l`). */
  readonly passThrough?: boolean;
}

/** A command as data: help, documentation and parser all come from it. */
export interface Command extends CommandText {
  readonly args: ArgumentSpecs;
  readonly options: OptionSpecs;
  /** Resolves with the exit code. */
  readonly run: (invocation: Invocation<ArgumentSpecs, OptionSpecs>) => Promise<number>;
}

/** Defines a command; the handler's `args` and `options` get their types from the specs. It resolves to the exit code, 0 by default. */
export function defineCommand<
  const Arguments extends ArgumentSpecs = Record<string, never>,
  const Options extends OptionSpecs = Record<string, never>,
>(
  definition: CommandText & {
    readonly args?: Arguments;
    readonly options?: Options;
    readonly handler: (invocation: Invocation<Arguments, Options>) => Promise<number | void>;
  },
): Command {
  const { handler, args, options, ...text } = definition;
  return {
    ...text,
    args: args ?? {},
    options: options ?? {},
    // The parser builds both records from these very specs.
    run: async (invocation) => (await handler(invocation as unknown as Invocation<Arguments, Options>)) ?? 0,
  };
}
