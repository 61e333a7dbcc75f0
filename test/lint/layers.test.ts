import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { randomId } from '#shared/id.ts';
import { afterEach, expect, test } from 'vitest';
import { roomCycles } from './room-cycles.ts';

const root = resolve(import.meta.dirname, '../..');
const written: string[] = [];

afterEach(async () => {
  await Promise.all(written.splice(0).map((path) => rm(path, { force: true })));
});

/** What the linter prints about one file with this import, placed in a room, and its exit code. */
async function lint(room: string, specifier: string): Promise<{ code: number; output: string }> {
  const path = join(root, room, `lint-probe-${randomId(8)}.ts`);
  written.push(path);
  await writeFile(path, `import { thing } from '${specifier}';\n\nexport const other = thing;\n`);
  const child = spawn(join(root, 'node_modules/.bin/oxlint'), ['--deny-warnings', path], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

test.each([
  ['shared', '../runner/database.ts', 'shared/ is below every other room'],
  ['shared', 'hono', 'shared/ imports zod alone'],
  ['shared/model', 'node:fs', 'shared/ imports zod alone'],
  ['runner/agent', '../../control-plane/ports.ts', 'runner/ imports shared/ and itself only'],
  ['runner/security', 'node:fs', 'Pure files import pure files'],
  ['cli', '../runner/database.ts', 'cli/ imports shared/ and itself only'],
  ['control-plane/api', '../../runner/database.ts', 'control-plane/ imports shared/ and itself only'],
  ['control-plane/api', 'node:fs', 'Only composition roots know the platform'],
  ['control-plane/api', 'drizzle-orm', 'store/ is the only place that knows SQL'],
  ['control-plane/core', '../store/schema.ts', 'Pure files import pure files'],
  ['control-plane/store', '../api/problem.ts', 'store/ imports shared/, core/ and itself only'],
])('%s may not import %s', async (room, specifier, message) => {
  const { code, output } = await lint(room, specifier);
  expect(output).toContain(message);
  expect(code).toBe(1);
});

test.each([
  ['shared', 'zod'],
  ['runner/agent', '#shared/errors.ts'],
  ['control-plane/core', '#shared/errors.ts'],
  ['control-plane/store', 'drizzle-orm'],
])('%s may import %s', async (room, specifier) => {
  expect(await lint(room, specifier)).toMatchObject({ code: 0 });
});

/** The texts of all that is not a test, by path. */
function sources(): Map<string, string> {
  const paths = globSync('{runner,control-plane,cli,shared}/**/*.ts', { cwd: root });
  const own = paths.filter((path) => !path.endsWith('.test.ts'));
  return new Map(own.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

test('no room is imported by a room that it imports, directly or by others', () => {
  const all = sources();
  expect(all.size).toBeGreaterThan(300);
  expect(roomCycles(all)).toEqual([]);
});

test.each([
  ["import { VolumeStore } from '../volume/volume-store.ts';", 'runner/os/probe.ts', 'runner/volume -> runner/os'],
  [
    "export type { Engine } from '../container/engine.ts';",
    'runner/volume/probe.ts',
    'runner/container -> runner/volume',
  ],
  ["await import('../docker-api/server.ts');", 'runner/launcher/probe.ts', 'runner/docker-api -> runner/launcher'],
  ["import { createEngine } from './container/create-engine.ts';", 'runner/log.ts', 'runner/storage -> runner/log.ts'],
])('%s in %s would be such an import', (line, path, way) => {
  const all = sources();
  all.set(path, `${line}\n${all.get(path) ?? ''}`);
  expect(roomCycles(all).join('\n')).toContain(way);
});
