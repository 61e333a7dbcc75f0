import { MAX_JOIN_TOKEN_LIFE_MS } from '#shared/api/hosts.ts';
import { formatMoment } from '../age.ts';
import { defineCommand } from '../command.ts';
import { lifetime } from '../option-values.ts';

const DEFAULT_LIFE_MS = 3_600_000;

export const hostToken = defineCommand({
  name: 'host token',
  summary: 'Make a token with which one host may join, once',
  options: {
    expires: {
      kind: 'value',
      metavar: 'DURATION',
      summary: 'How long it may be used (default: 1h)',
      parse: lifetime(MAX_JOIN_TOKEN_LIFE_MS),
    },
  },
  async handler({ options, session: { terminal, connect } }) {
    const client = await connect();
    const created = await client.createJoinToken(options.expires ?? DEFAULT_LIFE_MS);
    if (options.json) return terminal.json(created);
    await terminal.write(`${created.token}\n`);
    await terminal.note(
      `For one host, until ${formatMoment(created.expiresAtMs)}. Next, on that host, as root:\n` +
        `  berth runner join ${client.address.url} --token ${created.token}\n  berth runner`,
    );
  },
});
