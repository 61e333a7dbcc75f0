import { defineCommand } from '../command.ts';
import { DEFAULT_WAIT_MS, waitOptions, waitUntilGone } from '../convergence.ts';

export const rm = defineCommand({
  name: 'rm',
  summary: 'Remove a stack: its services and all of their containers',
  args: { STACK: { arity: 'one', summary: 'Name of the stack' } },
  options: {
    ...waitOptions,
    wait: { kind: 'flag', summary: 'Return when all of its containers have gone' },
  },
  async handler({ args, options, session }) {
    const client = await session.connect();
    await client.removeStack(args.STACK);
    if (options.wait) await waitUntilGone(session, client, args.STACK, options.timeout ?? DEFAULT_WAIT_MS);
    if (options.json) return session.terminal.json({ removed: args.STACK });
    await session.terminal.note(`Removed the stack ${args.STACK}.`);
  },
});
