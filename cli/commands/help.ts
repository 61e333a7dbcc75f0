import { defineCommand } from '../command.ts';
import { commandHelp, overview } from '../help.ts';

export const help = defineCommand({
  name: 'help',
  summary: 'Print the list of commands, or how to use one',
  args: { COMMAND: { arity: 'any', summary: 'The command to explain' } },
  async handler({ args, session }) {
    const { commands } = session;
    const name = args.COMMAND.join(' ');
    const found = commands.find((one) => one.name === name || one.alias === name);
    const family = commands.filter((one) => one.name.startsWith(`${name} `));
    if (found !== undefined) await session.terminal.write(commandHelp(found));
    else await session.terminal.write(overview(family.length > 0 && name !== '' ? family : commands));
  },
});
