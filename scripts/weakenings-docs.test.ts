import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { weakened } from '../test/soak/scratch-tree.ts';
import { verdictOf } from '../test/soak/verdict.ts';
import { weakeningPage } from '../test/soak/weakening-page.ts';
import { weakenings } from '../test/soak/weakenings.ts';

const read = (path: string): string => readFileSync(join(import.meta.dirname, '..', path), 'utf8');
/** The first cell of each line of the table of rules. */
const rules = read('docs/security.md')
  .split('\n')
  .filter((line) => line.startsWith('|') && line.split('|').length === 6)
  .map((line) => line.split('|')[1]?.trim() ?? '')
  .slice(2);
/** Rules of the control plane, which the campaign leaves out. */
const ofTheControlPlane = [
  'Tokens: random',
  'A join token enrols one host',
  'A host proves its key',
  'A host reads only what is assigned to it',
];

test('docs/weakenings.md is what the campaign does; else run `make docs`', () => {
  expect(read('docs/weakenings.md')).toBe(weakeningPage());
});

test.each(weakenings)('$name: its texts are in the sources, once each, and it has one rule', ({ rule, changes }) => {
  const sources = new Map<string, string>();
  for (const change of changes) {
    sources.set(change.file, weakened(sources.get(change.file) ?? read(change.file), change));
  }
  expect(rules.filter((one) => one.includes(rule))).toHaveLength(1);
});

test('a text that is not there, or twice, is told', () => {
  const change = { file: 'f.c', from: 'check(a)', to: '$&' };
  expect(weakened('if (check(a))', change)).toBe('if ($&)');
  for (const text of ['if (check(b))', 'check(a); check(a);']) {
    expect(() => weakened(text, change)).toThrow(/f\.c has \d times, not once:\ncheck\(a\)/);
  }
});

test('every rule but those of the control plane has a weakening', () => {
  const without = rules.filter((one) => weakenings.every(({ rule }) => !one.includes(rule)));
  const expected = ofTheControlPlane.map((start) => expect.stringMatching(new RegExp(`^${start}`)) as string);
  expect(without).toEqual(expected);
});

test('an assertion is told from a crash', () => {
  const result = (status: string, message: string) => ({ fullName: 'one', status, failureMessages: [message] });
  const report = (message: string, ...assertionResults: ReturnType<typeof result>[]) => ({
    testResults: [{ message, assertionResults }],
  });
  const said = 'AssertionError: expected 1 to be 2';
  const resolved = 'Error: promise resolved "1" instead of rejecting\n    at _Assertion.__VITEST_REJECTS__ (file)';
  const timeout = 'TestTimeoutError: Test timed out in 60000ms.';
  expect(verdictOf(report('', result('passed', ''), result('failed', said), result('failed', resolved)))).toEqual({
    passed: 1,
    assertions: [said, resolved],
    crashes: [],
  });
  expect(verdictOf(report('SyntaxError: no', result('failed', timeout)))).toEqual({
    passed: 0,
    assertions: [],
    crashes: [timeout, 'SyntaxError: no'],
  });
});
