import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiPage } from './openapi.ts';

test('docs/api.md is what the schemas say', () => {
  expect(readFileSync(new URL('../docs/api.md', import.meta.url), 'utf8')).toBe(apiPage());
});
