import { text as readText } from 'node:stream/consumers';
import { BerthError, errorText } from '#shared/errors.ts';
import { Client } from '../client.ts';
import { defineCommand } from '../command.ts';
import { checkedUrl } from '../connection.ts';
import { text } from '../option-values.ts';

export const login = defineCommand({
  name: 'login',
  summary: 'Store the address of a control plane and a token for it, as the current context',
  description:
    'The token is tried before it is stored, in a file of mode 0600. With --bootstrap the first admin token of a new\n' +
    'cluster is made; the control plane prints where its bootstrap secret is when it starts. A token on the command line\n' +
    'can be seen by other users of the machine: prefer --token-stdin, or BERTH_TOKEN.',
  args: { URL: { arity: 'one', summary: 'Such as https://berth.example.com or http://127.0.0.1:7700' } },
  options: {
    token: { kind: 'value', metavar: 'T', summary: 'The token (default: BERTH_TOKEN)', parse: text },
    'token-stdin': { kind: 'flag', summary: 'Read the token from standard input' },
    bootstrap: {
      kind: 'value',
      metavar: 'SECRET',
      summary: 'Make the first admin token with this secret',
      parse: text,
    },
    name: { kind: 'value', metavar: 'NAME', summary: 'Name of the context (default: host of the URL)', parse: text },
  },
  examples: ['berth login http://127.0.0.1:7700 --token-stdin < token', 'berth login $URL --bootstrap $SECRET'],
  async handler({ args, options, session }) {
    const url = checkedUrl(args.URL);
    const ways = [options.token !== undefined, options['token-stdin'], options.bootstrap !== undefined];
    if (ways.filter(Boolean).length > 1) {
      throw new BerthError('invalid', 'cli.usage', 'login: give one of --token, --token-stdin and --bootstrap');
    }
    const token = await obtainToken();
    const name = options.name ?? options.context ?? new URL(url).host;
    try {
      await new Client({ url, token }, session.signal).stacks(); // any token may read
      await session.contexts.save(name, { url, token });
    } catch (error) {
      throw options.bootstrap === undefined ? error : keepToken(error, token);
    }
    if (options.json) return session.terminal.json({ context: name, url });
    await session.terminal.note(`Logged in to ${url} as context "${name}". Next: berth host token, or berth ls`);

    async function obtainToken(): Promise<string> {
      if (options.bootstrap !== undefined) {
        const client = new Client({ url, token: options.bootstrap }, session.signal);
        return (await client.bootstrap('admin')).token;
      }
      const given = options['token-stdin']
        ? (await readText(session.terminal.input)).trim()
        : (options.token ?? session.environment['BERTH_TOKEN'] ?? '');
      if (given !== '') return given;
      throw new BerthError('invalid', 'cli.usage', 'login: a token is needed', {
        remedy: 'Give --token-stdin, --token, BERTH_TOKEN, or --bootstrap for a new cluster.',
      });
    }
  },
});

/** The first token is made once in a cluster's life: when it could not be stored, the person must be given it. */
function keepToken(cause: unknown, token: string): BerthError {
  const what = `the first token was made, but could not be stored: ${errorText(cause)}`;
  const remedy = `Keep it, it is not shown again, and log in with --token-stdin: ${token}`;
  return new BerthError('internal', 'login.not-stored', what, { cause, remedy });
}
