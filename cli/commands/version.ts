import { BERTH_VERSION } from '#shared/version.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/control.ts';
import { defineCommand } from '../command.ts';

export const version = defineCommand({
  name: 'version',
  summary: 'Print the version of this program and of its protocol',
  async handler({ options, session: { terminal } }) {
    if (options.json) await terminal.json({ version: BERTH_VERSION, protocol: PROTOCOL_VERSION });
    else await terminal.write(`berth ${BERTH_VERSION} (control channel protocol ${PROTOCOL_VERSION})\n`);
  },
});
