import { constants } from 'node:os';
import { BerthError } from '#shared/errors.ts';
import { controlLine } from '#shared/relay/header.ts';
import { readLines } from '#shared/relay/lines.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import type { ExecSession } from '../launcher/launcher.ts';

/** Carries out the lines of a control stream until the other end ends it or the process has ended. */
export async function serveControl(stream: RelayStream, starting: Promise<ExecSession>): Promise<void> {
  const session = await starting;
  const over = () => stream.reset(new BerthError('unavailable', 'exec.ended', 'The process has ended'));
  session.exit.then(over, over);
  for await (const line of readLines(stream.readable, controlLine)) {
    if (line.kind === 'resize') await session.resize(line.size);
    else await session.signal(signalNumber(line.signal));
  }
  await stream.end();
}

/** @throws BerthError `signal.unknown` */
function signalNumber(name: string): number {
  const known: Readonly<Record<string, number | undefined>> = constants.signals;
  const number = known[name] ?? known[`SIG${name}`];
  if (number !== undefined) return number;
  throw new BerthError('invalid', 'signal.unknown', `"${name}" is not the name of a signal`, {
    remedy: 'Give one as kill -l lists them: SIGTERM, SIGINT …',
  });
}
