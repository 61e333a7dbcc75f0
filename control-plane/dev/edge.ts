import { runUntilSignalled } from '../node/run.ts';
import { startEdge } from './edge-server.ts';

const HELP = 'Usage: node control-plane/dev/edge.ts, with the options of `berth control-plane`.\n';

/**
 * FOR DEVELOPMENT AND TESTS ONLY: the Worker build of the control plane in workerd on this machine, with its Durable
 * Objects and a libSQL server on loopback. Takes the options of `berth control-plane`, and prints what that prints:
 *
 *     node control-plane/dev/edge.ts --listen HOST:PORT --data DIR
 */
process.exitCode = await runUntilSignalled(process.argv.slice(2), HELP, startEdge);
