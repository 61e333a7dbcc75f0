import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineCommand, type Command } from './command.ts';
import { keyValue, lifetime, text, wholeNumber } from './option-values.ts';
import { parseArguments } from './parse-arguments.ts';

const sample: Command = defineCommand({
  name: 'sample',
  summary: 'A command of every kind of option',
  args: { TASK: { arity: 'one', summary: '' }, REST: { arity: 'any', summary: '' } },
  options: {
    interactive: { kind: 'flag', short: 'i', summary: '' },
    tty: { kind: 'flag', short: 't', summary: '' },
    tail: { kind: 'value', short: 'n', metavar: 'N', summary: '', parse: wholeNumber(0) },
    user: { kind: 'value', metavar: 'U', summary: '', parse: text },
    expires: { kind: 'value', metavar: 'TIME', summary: '', parse: lifetime(720 * 3_600_000) },
    env: { kind: 'list', short: 'e', metavar: 'KEY=VALUE', summary: '', parse: keyValue },
  },
  handler: () => Promise.resolve(),
});

test('options are given in every usual form, before and after arguments', () => {
  const { args, options } = parseArguments(sample, ['-it', 'web.1', '-n5', '--user=me', '-e', 'A=1', '-eB=2', 'x']);
  expect(args).toEqual({ TASK: 'web.1', REST: ['x'] });
  expect(options).toMatchObject({
    interactive: true,
    tty: true,
    tail: 5,
    user: 'me',
    env: [
      ['A', '1'],
      ['B', '2'],
    ],
    json: false,
  });
});

test.each([
  [['web.1', '--nope'], 'sample: there is no option --nope'],
  [['web.1', '-x'], 'sample: there is no option -x'],
  [['web.1', '--user'], 'sample: the option --user needs a value U'],
  [['web.1', '-n', 'five'], 'sample: -n: "five" is not a whole number of 0 or more'],
  [['web.1', '--tty=yes'], 'sample: the option --tty takes no value'],
  [['web.1', '--user', 'a', '--user', 'b'], 'sample: the option --user is given twice'],
  [['web.1', '--expires', '0s'], 'sample: --expires: "0s" is too short; at least 1ms'],
  [['web.1', '--expires', '721h'], 'sample: --expires: "721h" is too long; at most 720h'],
  [['web.1', '--expires', 'soon'], 'sample: --expires: "soon" is not a duration'],
  [['web.1', '-e', 'A'], '"A" is not KEY=VALUE'],
  [[], 'sample: the argument TASK is missing'],
])('%j is a usage error', (argv, message) => {
  expect(() => parseArguments(sample, argv)).toThrow(message);
});

test('an argument too many is named', () => {
  expect(() => parseArguments({ ...sample, args: {} }, ['x'])).toThrow('sample: unexpected argument "x"');
});

test('a command that passes on takes everything after its first argument as it is', async () => {
  const exec: Command = { ...sample, passThrough: true };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string()), async (words) => {
      fc.pre(words[0] !== '--');
      const { args, options } = parseArguments(exec, ['-i', 'web.1', ...words]);
      expect(args['REST']).toEqual(words);
      expect(options['interactive']).toBe(true);
      await Promise.resolve();
    }),
  );
  expect(parseArguments(exec, ['web.1', '--', 'ls', '-l']).args['REST']).toEqual(['ls', '-l']);
});

test('after -- nothing is an option', () => {
  expect(parseArguments(sample, ['--', '-i', '--json']).args).toEqual({ TASK: '-i', REST: ['--json'] });
});

test('help needs no arguments', () => {
  expect(parseArguments(sample, ['--help']).options['help']).toBe(true);
});
