import { errorText, isBerthError } from '#shared/errors.ts';
import { parseControlPlaneOptions, type ControlPlaneOptions } from './options.ts';

/** A control plane that runs, in whichever runtime; disposing of it stops it. */
export interface ControlPlane extends AsyncDisposable {
  /** `http://HOST:PORT`, with the port that was taken when 0 was asked for. */
  readonly url: string;
  /** The file of the bootstrap secret. */
  readonly secretPath: string;
}

/**
 * Runs a control plane by its command line until SIGTERM or SIGINT, and says how to log in to it.
 *
 * @returns the exit code: 0 after a signal, 2 for wrong options, 1 when it could not start
 */
export async function runUntilSignalled(
  argv: readonly string[],
  help: string,
  start: (options: ControlPlaneOptions) => Promise<ControlPlane>,
): Promise<number> {
  try {
    const options = parseControlPlaneOptions(argv);
    if (options === 'help') {
      process.stdout.write(help);
      return 0;
    }
    await using controlPlane = await start(options);
    const stop = signalled(); // until here a signal ends the process at once: nothing is promised yet
    process.stdout.write(
      `berth control-plane: listening on ${controlPlane.url}\n` +
        `first login: berth login ${controlPlane.url} --bootstrap "$(cat ${controlPlane.secretPath})"\n`,
    );
    await stop;
    return 0;
  } catch (error) {
    const remedy = isBerthError(error) && error.remedy !== undefined ? `\n${error.remedy}` : '';
    process.stderr.write(`berth control-plane: ${errorText(error)}${remedy}\n`);
    return isBerthError(error) && error.kind === 'invalid' ? 2 : 1;
  }
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}
