import { parseArgs } from 'node:util';
import { parseDurationMs } from '#shared/duration.ts';
import { BerthError, errorText } from '#shared/errors.ts';
import { hubTiming, type HubTiming } from '../session/timing.ts';

export interface ControlPlaneOptions {
  /** Address to bind; an IPv6 one without brackets. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Absolute or relative; made when it does not exist. */
  readonly dataDirectory: string;
  readonly timing: HubTiming;
}

export const CONTROL_PLANE_HELP = `Usage: berth control-plane [OPTIONS]

Runs the control plane as one process, with its database in a file.

Options:
  --listen HOST:PORT   address to listen on; port 0 takes a free one (default 127.0.0.1:7700)
  --data DIR           where its state is kept (default /var/lib/berth-control)
  --heartbeat TIME     how often a host says that it is there (default 10s)
  --lease TIME         how long a host counts as connected after that (default 30s, the longest)
  --help               this text

Environment:
  BERTH_BOOTSTRAP_SECRET   the secret of the first login; without it, one is made and kept in DIR/bootstrap-secret

There is no TLS here: put a reverse proxy before any address that is not on a trusted network.
`;

/**
 * The options of `berth control-plane`.
 *
 * @throws BerthError `control-plane.usage`
 */
export function parseControlPlaneOptions(argv: readonly string[]): ControlPlaneOptions | 'help' {
  const values = parse(argv);
  if (values.help === true) return 'help';
  const { host, port } = parseAddress(values.listen ?? '127.0.0.1:7700');
  const timing = hubTiming(duration(values.heartbeat), duration(values.lease));
  return { host, port, dataDirectory: values.data ?? '/var/lib/berth-control', timing };
}

function duration(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationMs(text);
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: { listen: text, data: text, heartbeat: text, lease: text, help: { type: 'boolean', short: 'h' } },
    }).values;
  } catch (error) {
    throw usage(errorText(error), error);
  }
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw usage(`--listen ${text} is not HOST:PORT`);
  return { host, port };
}

function usage(what: string, cause?: unknown): BerthError {
  return new BerthError('invalid', 'control-plane.usage', what, {
    cause,
    remedy: 'See `berth control-plane --help`.',
  });
}
