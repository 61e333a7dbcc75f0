import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dockerApiReference } from '../runner/docker-api/reference.ts';

test('docs/docker-api.md is what the code declares; else run `make docs`', async () => {
  const page = await readFile(join(import.meta.dirname, '..', 'docs', 'docker-api.md'), 'utf8');
  expect(page).toBe(dockerApiReference());
});
