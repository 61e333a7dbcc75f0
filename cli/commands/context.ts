import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';

const nameArgument = { NAME: { arity: 'one', summary: 'Name of the context' } } as const;

export const contextLs = defineCommand({
  name: 'context ls',
  summary: 'List the control planes that you have logged in to',
  async handler({ options, session: { terminal, contexts } }) {
    const list = await contexts.list();
    if (options.json) return terminal.json({ contexts: list });
    const rows = list.map(({ name, url, current }) => [current ? '*' : '', name, url]);
    await terminal.write(formatTable(['', 'name', 'url'], rows));
    if (list.length === 0) await terminal.note('None yet. Next: berth login URL');
  },
});

export const contextUse = defineCommand({
  name: 'context use',
  summary: 'Make a context the current one',
  args: nameArgument,
  async handler({ args, options, session: { terminal, contexts } }) {
    await contexts.use(args.NAME);
    if (options.json) await terminal.json({ current: args.NAME });
    else await terminal.note(`The current context is ${args.NAME}. Next: berth ls`);
  },
});

export const contextRm = defineCommand({
  name: 'context rm',
  summary: 'Forget a control plane and its token',
  description: 'The token stays valid. To end it, use `berth token rm` first.',
  args: nameArgument,
  async handler({ args, options, session: { terminal, contexts } }) {
    await contexts.remove(args.NAME);
    if (options.json) await terminal.json({ removed: args.NAME });
    else await terminal.note(`Forgot the context ${args.NAME}.`);
  },
});
