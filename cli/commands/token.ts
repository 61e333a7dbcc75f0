import { MAX_TOKEN_LIFE_MS, tokenScope } from '#shared/api/tokens.ts';
import { formatMoment } from '../age.ts';
import { defineCommand } from '../command.ts';
import { lifetime, oneOf } from '../option-values.ts';
import { formatTable } from '../table.ts';

const parseScope = oneOf(tokenScope.options);

export const tokenCreate = defineCommand({
  name: 'token create',
  summary: 'Make a token for a person or a program',
  description: 'The token is printed once and stored as a hash only.',
  args: { NAME: { arity: 'one', summary: 'What the token is for' } },
  options: {
    scope: {
      kind: 'value',
      metavar: 'SCOPE',
      summary: 'read: see; deploy: also stacks, exec, load; admin: also hosts and tokens (default: deploy)',
      parse: parseScope,
    },
    expires: {
      kind: 'value',
      metavar: 'DURATION',
      summary: 'End of its life, such as 720h',
      parse: lifetime(MAX_TOKEN_LIFE_MS),
    },
  },
  examples: ['berth token create ci --scope deploy --expires 720h'],
  async handler({ args, options, session: { terminal, connect } }) {
    const client = await connect();
    const created = await client.createToken({
      name: args.NAME,
      scope: options.scope ?? 'deploy',
      ...(options.expires === undefined ? {} : { expiresInMs: options.expires }),
    });
    if (options.json) return terminal.json(created);
    await terminal.write(`${created.token}\n`);
    await terminal.note(`It is not shown again. Next: berth login ${client.address.url} --token-stdin`);
  },
});

export const tokenLs = defineCommand({
  name: 'token ls',
  summary: 'List the tokens of the cluster',
  async handler({ options, session: { terminal, connect } }) {
    const { tokens } = await (await connect()).tokens();
    if (options.json) return terminal.json({ tokens });
    const rows = tokens.map((token) => [
      token.name,
      token.scope,
      formatMoment(token.createdAtMs),
      token.expiresAtMs === undefined ? 'never' : formatMoment(token.expiresAtMs),
    ]);
    await terminal.write(formatTable(['name', 'scope', 'created', 'expires'], rows));
  },
});

export const tokenRm = defineCommand({
  name: 'token rm',
  summary: 'Revoke a token; it is refused from then on',
  args: { NAME: { arity: 'one', summary: 'Name of the token, from `berth token ls`' } },
  async handler({ args, options, session: { terminal, connect } }) {
    await (await connect()).removeToken(args.NAME);
    if (options.json) await terminal.json({ removed: args.NAME });
    else await terminal.note(`Revoked the token ${args.NAME}.`);
  },
});
