import { errorText, isBerthError } from '#shared/errors.ts';
import { parseControlPlaneOptions } from '../node/options.ts';
import { startEdge } from './edge-server.ts';

/**
 * FOR DEVELOPMENT AND TESTS ONLY: the Worker build of the control plane in workerd on this machine, with its Durable
 * Objects and a libSQL server on loopback. Takes the options of `berth control-plane`, and prints what that prints:
 *
 *     node control-plane/dev/edge.ts --listen HOST:PORT --data DIR
 */
async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = parseControlPlaneOptions(argv);
    if (options === 'help') {
      process.stdout.write('Usage: node control-plane/dev/edge.ts, with the options of `berth control-plane`.\n');
      return 0;
    }
    const stop = signalled();
    await using edge = await startEdge(options);
    process.stdout.write(
      `berth control-plane: listening on ${edge.url}\n` +
        `first login: berth login ${edge.url} --bootstrap "$(cat ${edge.secretPath})"\n`,
    );
    await stop;
    return 0;
  } catch (error) {
    process.stderr.write(`berth control-plane in workerd: ${errorText(error)}\n`);
    return isBerthError(error) && error.kind === 'invalid' ? 2 : 1;
  }
}

function signalled(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

process.exitCode = await main(process.argv.slice(2));
