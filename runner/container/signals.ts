import { constants } from 'node:os';
import { BerthError } from '#shared/errors.ts';

const highestSignal = 64;

/**
 * The number of a signal written as Docker allows: `SIGTERM`, `TERM`, `15`, `RTMIN+3`.
 *
 * @throws BerthError `signal.unknown`
 */
export function signalNumber(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : namedSignal(text.toUpperCase().replace(/^SIG/, ''));
  if (number === undefined || number < 1 || number > highestSignal) {
    throw new BerthError('invalid', 'signal.unknown', `"${text}" is not a signal`, {
      remedy: 'Write a name such as SIGTERM, or a number from 1 to 64.',
    });
  }
  return number;
}

/** Real-time signals count from 34 in programs of the GNU C library (signal(7)). */
const firstRealTime = 34;

function namedSignal(name: string): number | undefined {
  const realTime = /^RTM(IN|AX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime !== null) {
    const base = realTime[1] === 'IN' ? firstRealTime : highestSignal;
    return base + Number(`${realTime[2] ?? '+'}${realTime[3] ?? '0'}`);
  }
  return constants.signals[`SIG${name}` as NodeJS.Signals];
}

/**
 * The number of a container's stop signal; SIGTERM when it is none (moby, container.StopSignal). It may come from an image,
 * which must not be able to make its containers unstoppable.
 */
export function stopSignalNumber(text: string): number {
  try {
    return signalNumber(text);
  } catch {
    return constants.signals.SIGTERM;
  }
}
