import { BerthError } from '#shared/errors.ts';
import type { ServiceView } from '#shared/api/stacks.ts';
import { defineCommand } from '../command.ts';
import { DEFAULT_WAIT_MS, waitOptions, waitUntilRunning } from '../convergence.ts';

/** One `[STACK/]SERVICE=N`; pure. @throws BerthError `cli.usage` */
function parseScale(word: string): { readonly service: string; readonly replicas: number } {
  const match = /^([^=]+)=(\d{1,5})$/.exec(word);
  const [, service, count] = match ?? [];
  if (service !== undefined && count !== undefined) return { service, replicas: Number(count) };
  throw new BerthError('invalid', 'cli.usage', `"${word}" is not [STACK/]SERVICE=N`, {
    remedy: 'Write for example: berth scale hello/web=5',
  });
}

/** The one service that a name means. @throws BerthError `service.unknown`, `service.ambiguous` */
function findService(reference: string, services: readonly ServiceView[]): ServiceView {
  const found = services.filter(({ stack, spec }) => reference === spec.name || reference === `${stack}/${spec.name}`);
  const [only] = found;
  if (only === undefined) {
    throw new BerthError('not-found', 'service.unknown', `there is no service "${reference}"`, {
      remedy: 'See `berth ls`.',
    });
  }
  if (found.length === 1) return only;
  throw new BerthError('invalid', 'service.ambiguous', `"${reference}" is a service of ${found.length} stacks`, {
    remedy: `Write one of: ${found.map(({ stack }) => `${stack}/${reference}`).join(', ')}.`,
  });
}

export const scale = defineCommand({
  name: 'scale',
  summary: 'Set how many replicas services have; each makes a new revision',
  args: { 'SERVICE=N': { arity: 'some', summary: '[STACK/]SERVICE and the number of its replicas' } },
  options: {
    ...waitOptions,
  },
  examples: ['berth scale hello/web=5 --wait'],
  async handler({ args, options, session }) {
    const wanted = args['SERVICE=N'].map(parseScale);
    const client = await session.connect();
    const { services } = await client.services();
    const found = wanted.map(({ service, replicas }) => ({ ...findService(service, services), replicas }));
    const results = [];
    for (const { stack, spec, replicas } of found) {
      const result = await client.scale(stack, spec.name, { replicas });
      results.push(result);
      if (!options.json) {
        await session.terminal.write(`${stack}/${spec.name}: ${replicas} (revision ${result.revision})\n`);
      }
    }
    for (const stack of options.wait ? new Set(found.map((one) => one.stack)) : []) {
      await waitUntilRunning(session, client, stack, options.timeout ?? DEFAULT_WAIT_MS);
    }
    if (options.json) return session.terminal.json({ results });
    await session.terminal.note('Next: berth ps');
  },
});
