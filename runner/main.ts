import { errorText, isBerthError } from '#shared/errors.ts';
import { openDataRoot } from './data-root.ts';
import { createLog } from './log.ts';
import { parseRunnerCommand, RUNNER_HELP, type RunnerCommand } from './options.ts';
import { hostFacts } from './os/facts.ts';
import { startRunner } from './start.ts';

const JOIN_TIMEOUT_MS = 30_000;
/** When what a start needs is no longer in use. */
const SETTLED_MS = 2000;

/**
 * `berth runner`: the daemon of one host, until SIGTERM or SIGINT; its containers outlive it. `berth runner join`
 * only enrols the host, `berth runner leave` takes its runner down for good.
 *
 * @returns the exit code: 0, 2 for a wrong command line or input, 1 for everything else that failed
 */
export async function runRunner(argv: readonly string[]): Promise<number> {
  try {
    return await execute(parseRunnerCommand(argv));
  } catch (error) {
    process.stderr.write(`berth runner: ${errorText(error)}\n`);
    const cause = isBerthError(error) && error.cause !== undefined ? errorText(error.cause) : '';
    if (cause !== '' && !errorText(error).includes(cause)) process.stderr.write(`  ${cause}\n`);
    if (isBerthError(error) && error.remedy !== undefined) process.stderr.write(`${error.remedy}\n`);
    else if (!isBerthError(error) && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
    return isBerthError(error) && error.kind === 'invalid' ? 2 : 1;
  }
}

async function execute(command: RunnerCommand): Promise<number> {
  switch (command.kind) {
    case 'help':
      process.stdout.write(RUNNER_HELP);
      return 0;
    case 'join':
      return join(command);
    case 'leave':
      return leave(command);
    case 'run':
      return run(command);
    default:
      return command satisfies never;
  }
}

async function join(command: Extract<RunnerCommand, { kind: 'join' }>): Promise<number> {
  const { joinCluster } = await import('./agent/join.ts');
  using dataRoot = await openDataRoot(command.dataRoot);
  // Controllers are found, and turned on, when the runner starts; it tells them at each connect.
  const facts = await hostFacts([]);
  const signal = AbortSignal.timeout(JOIN_TIMEOUT_MS);
  const { name, hostId, url } = await joinCluster({ ...command, dataRoot: dataRoot.path, facts, signal });
  const next = command.dataRoot === '/var/lib/berth' ? 'berth runner' : `berth runner --data-root ${command.dataRoot}`;
  process.stdout.write(`joined ${url} as host ${name} (${hostId})\nnext: ${next}\n`);
  return 0;
}

async function leave(command: Extract<RunnerCommand, { kind: 'leave' }>): Promise<number> {
  const { leaveCluster } = await import('./leave.ts');
  const log = createLog('text', (line) => process.stderr.write(line));
  await leaveCluster({ ...command, log, tell: (line) => process.stdout.write(`${line}\n`) });
  return 0;
}

async function run(command: Extract<RunnerCommand, { kind: 'run' }>): Promise<number> {
  const signal = stopSignal();
  const log = createLog(command.logFormat, (line) => process.stderr.write(line));
  await using runner = await startRunner({ ...command, log });
  if (!signal.aborted)
    process.stdout.write(`berth runner: ready, host ${runner.hostName}, socket ${command.socketPath}\n`);
  collectLater();
  await runner.run({ signal });
  log.info('stopping; containers keep running', { signal: String(signal.reason) });
  return 0;
}

/** Gives back what the start has used, some 8 MB, once it has settled; `bin/berth` starts a runner with this turned on. */
function collectLater(): void {
  setTimeout(() => globalThis.gc?.({ type: 'major', flavor: 'last-resort' }), SETTLED_MS).unref();
}

/** Aborted by the first SIGTERM or SIGINT; a second one ends the process at once, as by default. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => controller.abort(name));
  return controller.signal;
}
