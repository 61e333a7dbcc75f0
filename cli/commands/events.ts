import type { EventView } from '#shared/api/events.ts';
import { formatMoment } from '../age.ts';
import { defineCommand, type Session } from '../command.ts';
import { text, wholeNumber } from '../option-values.ts';
import { printable } from '../table.ts';

const DEFAULT_TAIL = 50;
/** How long the control plane may hold one question; it is asked again. */
const FOLLOW_WAIT_MS = 25_000;

export const events = defineCommand({
  name: 'events',
  summary: 'Show what happened, and what caused it',
  options: {
    follow: { kind: 'flag', short: 'f', summary: 'Go on with events as they happen' },
    tail: {
      kind: 'value',
      short: 'n',
      metavar: 'N',
      summary: `How many of the newest to begin with (default: ${DEFAULT_TAIL})`,
      parse: wholeNumber(0),
    },
    stack: { kind: 'value', short: 'p', metavar: 'STACK', summary: 'Only those about this stack', parse: text },
  },
  async handler({ options, session }) {
    const client = await session.connect();
    const { stack } = options;
    let { events: batch, cursor } = await client.events({ limit: options.tail ?? DEFAULT_TAIL, stack });
    if (options.json && !options.follow) return session.terminal.json({ events: batch, cursor });
    for (;;) {
      for (const event of batch) await print(session, event, options.json);
      if (!options.follow) return;
      ({ events: batch, cursor } = await client.events({ after: cursor, stack, waitMs: FOLLOW_WAIT_MS }));
    }
  },
});

/** For programs that follow: one JSON document a line. */
async function print({ terminal }: Session, event: EventView, asJson: boolean): Promise<void> {
  if (asJson) return terminal.write(`${JSON.stringify(event)}\n`);
  const cause = 'name' in event.cause ? `${event.cause.kind} ${event.cause.name}` : event.cause.rule;
  const kind = terminal.paint(event.kind.endsWith('failed') ? 'red' : 'green', event.kind);
  await terminal.write(
    `${formatMoment(event.atMs)}  ${kind}  ${printable(event.message)}  ${terminal.paint('dim', `(${cause})`)}\n`,
  );
}
