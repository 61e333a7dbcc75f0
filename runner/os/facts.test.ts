import { expect, test } from 'vitest';
import { hostFacts as schema } from '#shared/model/host.ts';
import { hostFacts, prettyName } from './facts.ts';

test('the facts of this machine are what the protocol takes', async () => {
  const facts = await hostFacts(['pids']);
  expect(schema.parse(facts)).toEqual(facts);
  expect(facts.controllers).toEqual(['pids']);
});

test('the name of the system is quoted or not, or missing', () => {
  expect(prettyName('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')).toBe(
    'Debian GNU/Linux 12 (bookworm)',
  );
  expect(prettyName('PRETTY_NAME=Alpine\n')).toBe('Alpine');
  expect(prettyName('')).toBe('Linux');
});
