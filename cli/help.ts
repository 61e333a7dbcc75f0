import { globalOptions, type ArgumentSpecs, type Command, type OptionSpec, type OptionSpecs } from './command.ts';

/** One of the daemons that `bin/main.ts` starts; listed in the help, run elsewhere. */
export interface Daemon {
  readonly usage: string;
  readonly summary: string;
}

export const daemons: readonly Daemon[] = [
  {
    usage: 'control-plane [--listen HOST:PORT] [--data DIR] [--heartbeat TIME] [--lease TIME]',
    summary: 'Run a control plane on this machine',
  },
  {
    usage: 'runner join URL --token T [--name N] [--data-root DIR]',
    summary: 'Enrol this machine as a host',
  },
  {
    usage:
      'runner [--data-root DIR] [--socket PATH] [--storage-driver NAME] [--log-driver D] [--log-opt K=V] [--log-format text|json]',
    summary: 'Run containers on this machine, as its host',
  },
  {
    usage: 'runner --standalone --data-root DIR --socket PATH',
    summary: 'Run containers on this machine without a control plane',
  },
  {
    usage: 'runner leave [--data-root DIR] [--all] [--purge]',
    summary: 'Take the runner of this machine down for good, with its containers, network and identity',
  },
];

/** `host token [--expires DURATION]`: a command as it is typed. */
export function usageOf(command: Command): string {
  const options = Object.entries(command.options).map(([name, spec]) => `[${optionForms(name, spec)}]`);
  return [command.name, ...options, ...argumentForms(command.args)].join(' ');
}

function optionForms(name: string, spec: OptionSpec): string {
  const value = spec.kind === 'flag' ? '' : ` ${spec.metavar}`;
  const more = spec.kind === 'list' ? '…' : '';
  return spec.short === undefined ? `--${name}${value}${more}` : `-${spec.short}|--${name}${value}${more}`;
}

function argumentForms(args: ArgumentSpecs): readonly string[] {
  const forms = { one: (name: string) => name, optional: (name: string) => `[${name}]` };
  return Object.entries(args).map(([name, { arity }]) => {
    switch (arity) {
      case 'one':
      case 'optional':
        return forms[arity](name);
      case 'some':
        return `${name}…`;
      case 'any':
        return `[${name}…]`;
      default:
        return arity satisfies never;
    }
  });
}

/** The page of `berth help`. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map((command): readonly [string, string] => [
    command.alias === undefined ? command.name : `${command.name}, ${command.alias}`,
    command.summary,
  ]);
  return [
    'berth: containers on all of your Linux machines, without manager nodes',
    '',
    'Usage: berth COMMAND [OPTION…] [ARGUMENT…]',
    '',
    'Commands:',
    ...columns(rows),
    '',
    'Daemons:',
    ...daemons.flatMap(({ usage, summary }) => [`  ${usage}`, `      ${summary}`]),
    '',
    'Environment: BERTH_URL, BERTH_TOKEN, BERTH_CONFIG, NO_COLOR.',
    'Help of one command: berth COMMAND --help',
    '',
  ].join('\n');
}

/** The page of `berth COMMAND --help`. */
export function commandHelp(command: Command): string {
  const args = Object.entries(command.args).map(([name, { summary }]): readonly [string, string] => [name, summary]);
  return [
    `Usage: berth ${usageOf(command)}`,
    ...(command.alias === undefined ? [] : [`Also: berth ${command.alias}`]),
    '',
    `${command.summary}.`,
    ...(command.description === undefined ? [] : ['', command.description]),
    ...(args.length === 0 ? [] : ['', 'Arguments:', ...columns(args)]),
    '',
    'Options:',
    ...columns(optionRows({ ...command.options, ...globalOptions })),
    ...(command.examples === undefined ? [] : ['', 'Examples:', ...command.examples.map((line) => `  ${line}`)]),
    '',
  ].join('\n');
}

/** Options and what they mean, as two columns. */
export function optionRows(options: OptionSpecs): readonly (readonly [string, string])[] {
  return Object.entries(options).map(([name, spec]) => {
    const long = `--${name}${spec.kind === 'flag' ? '' : ` ${spec.metavar}`}`;
    const more = spec.kind === 'list' ? ' (may be repeated)' : '';
    return [spec.short === undefined ? `    ${long}` : `-${spec.short}, ${long}`, spec.summary + more];
  });
}

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
