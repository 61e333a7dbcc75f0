import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commands } from '../cli/commands.ts';
import { cliReference } from '../cli/reference.ts';

test('docs/cli.md is what the definitions of the commands say; else run `make docs`', async () => {
  const page = await readFile(join(import.meta.dirname, '..', 'docs', 'cli.md'), 'utf8');
  expect(page).toBe(cliReference(commands));
});

test('no two commands or options of one command share a name', () => {
  const names = commands.flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]));
  expect(new Set(names).size).toBe(names.length);
  for (const { name, options } of commands) {
    const shorts = Object.values(options).flatMap(({ short }) => (short === undefined ? [] : [short]));
    expect({ name, shorts: [...new Set([...shorts, 'h'])] }).toEqual({ name, shorts: [...shorts, 'h'] });
  }
});
