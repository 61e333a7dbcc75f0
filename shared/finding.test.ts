import { expect, test } from 'vitest';
import { z } from 'zod';
import { createTokenRequest } from './api/tokens.ts';
import { scaleRequest } from './api/stacks.ts';
import { findings } from './finding.ts';
import { containerSpec, onDisconnect } from './model/service.ts';

const long = 'x'.repeat(100);
const text = z.object({ t: z.string().min(2).max(5) });
const list = z.object({
  l: z
    .array(z.object({ n: z.int() }))
    .min(1)
    .max(2),
});

test.each<[z.ZodType, unknown, readonly string[]]>([
  [scaleRequest, { replicas: 99_999 }, ['replicas: 99999 is too large; at most 10000']],
  [scaleRequest, { replicas: -1 }, ['replicas: -1 is too small; at least 0']],
  [scaleRequest, { replicas: 1.5 }, ['replicas: must be a whole number, not 1.5']],
  [scaleRequest, { replicas: '3' }, ['replicas: must be a number, not "3"']],
  [scaleRequest, { replicas: null }, ['replicas: must be a number, not null']],
  [scaleRequest, {}, ['replicas: is missing']],
  [scaleRequest, [], [': must be an object, not a list']],
  [scaleRequest, undefined, [': must be an object, not nothing']],
  [
    createTokenRequest,
    { name: 'Not A Name', scope: 'root', expiresInMs: 0 },
    [
      'name: must be 1 to 63 of a-z, 0-9 and "-", with no "-" at either end',
      'scope: must be "read", "deploy" or "admin", not "root"',
      'expiresInMs: 0 is too small; at least 1 ms',
    ],
  ],
  [z.object({ n: z.string().transform(Number).pipe(z.int().min(1)) }), { n: '0' }, ['n: 0 is too small; at least 1']],
  [text, { t: '' }, ['t: is empty']],
  [text, { t: 'x' }, ['t: is too short; at least 2 characters']],
  [text, { t: long }, ['t: is too long; at most 5 characters']],
  [list, { l: [] }, ['l: has too few entries; at least 1']],
  [list, { l: [{ n: 1 }, { n: {} }] }, ['l[1].n: must be a number, not an object']],
  [onDisconnect, { kind: long }, [`kind: must be "keep", "replace-after" or "stop-after", not "${'x'.repeat(60)}…"`]],
  [
    containerSpec.pick({ healthcheck: true }),
    { healthcheck: 'on' },
    ['healthcheck: has none of the forms that are accepted here'],
  ],
  [z.strictObject({}), { a: 1, b: 2 }, [': has an unknown member "a", "b"']],
  [z.object({ u: z.url() }), { u: 'x' }, ['u: is not a valid url']],
  [z.object({ m: z.int().multipleOf(4) }), { m: 6 }, ['m: must be a multiple of 4']],
  [z.record(z.string().min(2), z.int()), { a: 1 }, ['a: "a" cannot be a name here']],
  [z.object({ a: z.int() }).refine(() => false, 'not these together'), { a: 1 }, [': not these together']],
])('%# what is wrong is told in our words', (schema, value, expected) => {
  const { error } = schema.safeParse(value);
  expect(error === undefined ? [] : findings(error, value).map(({ path, message }) => `${path}: ${message}`)).toEqual(
    expected,
  );
});

test('there are never more findings than asked for', () => {
  const value = { l: Array.from({ length: 100 }, () => ({})) };
  const { error } = z.object({ l: z.array(z.object({ n: z.int() })) }).safeParse(value);
  expect(error === undefined ? [] : findings(error, value, 7)).toHaveLength(7);
});
