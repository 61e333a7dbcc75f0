import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BerthError, errorText } from '#shared/errors.ts';
import type { LogConfig } from './container/log-config.ts';
import { checkedLogConfig, dockerLogDefault } from './container/check-log.ts';
import type { ContainerDefaults } from './engine-parts.ts';
import type { LogFormat } from './log.ts';
import type { RuntimeOptions } from './container/runtime-programs.ts';
import { parseDriverName, type DriverName } from './storage/driver-name.ts';

export const RUNNER_HELP = `Usage: berth runner [OPTIONS]
       berth runner join URL --token TOKEN [--name NAME] [--data-root DIR]
       berth runner --standalone [OPTIONS]
       berth runner leave [--data-root DIR] [--all] [--purge]

Runs containers on this machine, as the control plane that it joined says, or (standalone) alone.

Options:
  --data-root DIR       where images, containers and the identity are kept (default /var/lib/berth)
  --socket PATH         Docker API socket (default /run/berth/docker.sock)
  --storage-driver NAME  overlay, btrfs or vfs: how containers get their root file systems (default: what the data root
                        uses already, else the first of these that works there)
  --log-driver NAME     json-file, local or none: the log of containers that ask for none (default json-file)
  --log-opt NAME=VALUE  an option of that log (max-size, max-file, compress …); can be repeated
  --standalone          run without a control plane
  --log-format FORMAT   text or json (default text)
  --userns-remap USER   a user namespace for every container, with the ids of USER[:GROUP] in /etc/subuid and /etc/subgid;
                        "default": with ids that no account has
  --init                an init as first process of every container
  --runtime NAME=PATH   an OCI runtime for "docker run --runtime NAME", beside the built-in one (berth) and those that are
                        installed (runc, crun, runsc); can be repeated
  --default-runtime NAME  the runtime of "docker run" without --runtime (default berth)
  --help                this text

Options of join:
  --token TOKEN         one-use join token, from \`berth host token\`
  --name NAME           this host's name in the cluster (default: the machine's)

\`berth runner leave\` takes the runner of this machine down for good, when it does not run: containers of tasks, network,
cgroups and identity. It needs no control plane; \`berth host rm NAME\` tells that one. It can be repeated.

Options of leave:
  --all                 also remove containers that no task was made for
  --purge               also remove the data root, with its images
`;

const DEFAULT_DATA_ROOT = '/var/lib/berth';
const DEFAULT_SOCKET = '/run/berth/docker.sock';

/** What `berth runner …` is asked to do. Paths are absolute. */
export type RunnerCommand =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'join';
      readonly url: string;
      readonly token: string;
      readonly name: string;
      readonly dataRoot: string;
    }
  | { readonly kind: 'leave'; readonly dataRoot: string; readonly all: boolean; readonly purge: boolean }
  | {
      readonly kind: 'run';
      readonly standalone: boolean;
      readonly dataRoot: string;
      readonly socketPath: string;
      readonly logFormat: LogFormat;
      readonly containers: ContainerDefaults;
      /** Of the containers whose creation says nothing of it. */
      readonly containerLog: LogConfig;
      /** Undefined: what the data root uses, or what works. */
      readonly storageDriver: DriverName | undefined;
    };

/**
 * The command line of `berth runner`, without these two words.
 *
 * @throws BerthError `runner.usage`
 */
export function parseRunnerCommand(argv: readonly string[]): RunnerCommand {
  const { values, positionals } = parse(argv);
  if (values.help === true) return { kind: 'help' };
  const dataRoot = resolve(values['data-root'] ?? DEFAULT_DATA_ROOT);
  const [verb, ...rest] = positionals;
  if (verb === 'join') return joinCommand(values, rest, dataRoot);
  if (verb === 'leave') return leaveCommand(values, rest, dataRoot);
  if (verb !== undefined) throw usage(`"${verb}" is no command of berth runner`);
  for (const name of ['token', 'name'] as const) {
    if (values[name] !== undefined) throw usage(`--${name} belongs to \`berth runner join\``);
  }
  for (const name of ['all', 'purge'] as const) {
    if (values[name] !== undefined) throw usage(`--${name} belongs to \`berth runner leave\``);
  }
  const logFormat = values['log-format'] ?? 'text';
  if (logFormat !== 'text' && logFormat !== 'json') throw usage(`--log-format ${logFormat} is neither text nor json`);
  return {
    kind: 'run',
    standalone: values.standalone ?? false,
    dataRoot,
    socketPath: checkSocketPath(resolve(values.socket ?? DEFAULT_SOCKET)),
    logFormat,
    containers: {
      ...(values['userns-remap'] === undefined ? {} : { usernsRemap: values['userns-remap'] }),
      init: values.init ?? false,
      runtimes: runtimeOptions(values),
    },
    containerLog: containerLog(values),
    storageDriver: values['storage-driver'] === undefined ? undefined : parseDriverName(values['storage-driver']),
  };
}

/** Whether the programs are there is found out when the runner starts. */
function runtimeOptions(values: Values): RuntimeOptions {
  const configured = (values.runtime ?? []).map((word) => {
    const at = word.indexOf('=');
    if (at <= 0) throw usage(`--runtime ${word} is not NAME=PATH`);
    return [word.slice(0, at), word.slice(at + 1)] as const;
  });
  const name = values['default-runtime'];
  return { configured, ...(name === undefined ? {} : { default: name }) };
}

function containerLog(values: Values): LogConfig {
  const options = (values['log-opt'] ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at <= 0) throw usage(`--log-opt ${text} is not NAME=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  try {
    return checkedLogConfig(values['log-driver'] ?? dockerLogDefault.driver, Object.fromEntries(options));
  } catch (error) {
    throw usage(errorText(error), error);
  }
}

type Values = ReturnType<typeof parse>['values'];

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        'data-root': text,
        socket: text,
        standalone: flag,
        'storage-driver': text,
        'log-driver': text,
        'log-opt': { ...text, multiple: true },
        'log-format': text,
        'userns-remap': text,
        init: flag,
        runtime: { ...text, multiple: true },
        'default-runtime': text,
        token: text,
        name: text,
        all: flag,
        purge: flag,
        help: { ...flag, short: 'h' },
      },
    });
  } catch (error) {
    throw usage(errorText(error), error);
  }
}

/** What says how containers are run is for neither `join` nor `leave`. */
const ofRuns = [
  ...(['socket', 'standalone', 'storage-driver', 'log-format', 'log-driver', 'log-opt'] as const),
  ...(['userns-remap', 'init', 'runtime', 'default-runtime'] as const),
] as const;

function joinCommand(values: Values, [url, ...rest]: readonly string[], dataRoot: string): RunnerCommand {
  if (url === undefined) throw usage('join: the URL of the control plane is missing');
  if (rest.length > 0) throw usage(`join: one URL, not also ${rest.join(' ')}`);
  if (values.token === undefined) throw usage('join: --token TOKEN is missing');
  refuse('join', values, [...ofRuns, 'all', 'purge']);
  const name = values.name ?? defaultName(hostname());
  return { kind: 'join', url, token: values.token, name, dataRoot };
}

function leaveCommand(values: Values, rest: readonly string[], dataRoot: string): RunnerCommand {
  if (rest.length > 0) throw usage(`leave: unexpected argument "${rest.join(' ')}"`);
  refuse('leave', values, [...ofRuns, 'token', 'name']);
  return { kind: 'leave', dataRoot, all: values.all ?? false, purge: values.purge ?? false };
}

function refuse(verb: string, values: Values, names: readonly (keyof Values)[]): void {
  for (const name of names) if (values[name] !== undefined) throw usage(`${verb}: --${name} is no option of it`);
}

/** The first label of the machine's name, with what a host's name cannot hold replaced. */
export function defaultName(machine: string): string {
  const [label = ''] = machine.toLowerCase().split('.');
  return label
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
}

/** A unix socket's path may be 107 bytes and its NUL (unix(7)); a longer one would fail with a text that hides why. */
function checkSocketPath(path: string): string {
  if (Buffer.byteLength(path) <= 107) return path;
  throw usage(`the path of the socket, ${path}, is over 107 bytes: choose a shorter one with --socket`);
}

function usage(what: string, cause?: unknown): BerthError {
  return new BerthError('invalid', 'runner.usage', what, { cause, remedy: 'See `berth runner --help`.' });
}
