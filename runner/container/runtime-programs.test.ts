import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findRuntimes } from './runtime-programs.ts';
import { runtimeProgram } from './runtimes.ts';

let directory = '';
const at = (name: string): string => join(directory, name);

async function script(name: string, body: string): Promise<void> {
  await writeFile(at(name), `#!/bin/sh\n${body}\n`);
  await chmod(at(name), 0o755);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-runtimes-'));
  await script('crun', 'echo crun version 1.8.1');
  await script('kata', 'echo other version 1');
  await script('runsc', 'exit 1');
  await writeFile(at('plain'), '');
});
afterAll(() => rm(directory, { recursive: true }));

test('what is installed and runs is there, and asked what it is', async () => {
  const runtimes = await findRuntimes({ configured: [['kata', at('kata')]] }, [directory]);
  expect([...runtimes.programs]).toEqual([
    ['berth', undefined],
    ['runc', undefined],
    ['crun', { path: at('crun'), deviceRules: 'launcher' }],
    ['kata', { path: at('kata'), deviceRules: 'runtime' }],
  ]);
  expect(runtimes.default).toBe('berth');
  expect(runtimeProgram(runtimes, 'runc')).toBeUndefined();
  expect(() => runtimeProgram(runtimes, 'runsc')).toThrow('unknown or invalid runtime name: runsc');
});

test('a program that is configured comes before an installed one, and may be the default', async () => {
  const options = { configured: [['crun', at('kata')] as const], default: 'crun' };
  const runtimes = await findRuntimes(options, [directory]);
  expect(runtimeProgram(runtimes, runtimes.default)).toEqual({ path: at('kata'), deviceRules: 'runtime' });
});

test.each([
  ['a default that there is not', { configured: [], default: 'kata' }],
  ['a relative path', { configured: [['kata', 'kata'] as const] }],
  ['no program', { configured: [['kata', '/nonexistent'] as const] }],
  ['the name of the built-in one', { configured: [['berth', '/bin/sh'] as const] }],
  ['a name that is none', { configured: [['a b', '/bin/sh'] as const] }],
])('%s is refused', async (_, options) => {
  await expect(findRuntimes(options, [directory])).rejects.toMatchObject({ code: 'runner.runtime' });
});

test('a configured program that does not run is refused', async () => {
  const configured = [['gvisor', at('runsc')] as const];
  await expect(findRuntimes({ configured }, [directory])).rejects.toMatchObject({ code: 'runner.runtime' });
  await expect(findRuntimes({ configured: [['x', at('plain')]] }, [directory])).rejects.toThrow('can be run');
});
