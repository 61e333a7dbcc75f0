import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dockerApiReference } from '../runner/docker-api/reference.ts';
import { configFields, hostConfigFields } from '../runner/docker-api/translate/create-fields.ts';

test('docs/docker-api.md is what the code declares; else run `make docs`', async () => {
  const page = await readFile(join(import.meta.dirname, '..', 'docs', 'docker-api.md'), 'utf8');
  expect(page).toBe(dockerApiReference());
});

test('the tests that the table of fields names are there', () => {
  const effects = [...Object.values(configFields), ...Object.values(hostConfigFields)];
  const named = new Set(effects.flatMap((effect) => (effect.kind === 'works' ? [effect.test] : [])));
  expect([...named].filter((path) => !existsSync(join(import.meta.dirname, '..', path)))).toEqual([]);
});
