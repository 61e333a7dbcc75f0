import { defineCommand } from '../command.ts';

export const hostRm = defineCommand({
  name: 'host rm',
  summary: 'Remove a host and revoke its key',
  description: 'Its tasks are placed on other hosts. A host that is removed does not come back but by a new token.',
  args: { HOST: { arity: 'one', summary: 'Name of the host' } },
  async handler({ args, options, session: { terminal, connect } }) {
    await (await connect()).removeHost(args.HOST);
    if (options.json) await terminal.json({ removed: args.HOST });
    else await terminal.note(`Removed the host ${args.HOST}. Next: berth ps`);
  },
});
