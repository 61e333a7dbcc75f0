import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
/** The cells of each rule: rule, what makes it impossible, where, test. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) => line.split('|').slice(1, -1))
  .filter((cells) => cells.length === 4)
  .slice(2);
const paths = (cell: string | undefined): string[] =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);

test.each(rows)('%s is in files that exist, and has a test', (_rule, _why, where, tests) => {
  const named = [...paths(where), ...paths(tests)];
  expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  expect(paths(where).length).toBeGreaterThan(0);
  expect(paths(tests).every((path) => /(\.test|-suite)\.ts$/.test(path))).toBe(true);
  expect(paths(tests).length).toBeGreaterThan(0);
});

test('each test of test/security stands for a rule, and each failure that one names has a line', () => {
  const files = globSync('test/security/*.test.ts', { cwd: root });
  const named = new Set(rows.flatMap(([, , , tests]) => paths(tests)));
  expect(files.filter((file) => !named.has(file))).toEqual([]);
  const tried = files.flatMap((file) => readFileSync(join(root, file), 'utf8').match(/CVE-\d{4}-\d+/g) ?? []);
  expect(tried.filter((cve) => !page.includes(cve))).toEqual([]);
});
