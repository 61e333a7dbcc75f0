import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXIT } from '../../cli/exit-code.ts';
import { runCliWith, type CliResult } from '../support/run-cli.ts';

const berthProgram = join(import.meta.dirname, '..', '..', 'bin', 'berth');

let directory: string;
let server: ChildProcess;
let url: string;
let environment: Readonly<Record<string, string>>;

/** The real control plane in its own process, on a free port, with a fresh database. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-cli-'));
  environment = { BERTH_CONFIG: join(directory, 'config.json') };
  const argv = ['control-plane', '--listen', '127.0.0.1:0', '--data', join(directory, 'data')];
  server = spawn(berthProgram, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (server.stdout === null) throw new Error('the control plane has no output');
  for await (const line of createInterface(server.stdout)) {
    url = /listening on (\S+)/.exec(line)?.[1] ?? '';
    if (url !== '') break;
  }
  const secret = (await readFile(join(directory, 'data', 'bootstrap-secret'), 'utf8')).trim();
  const login = await berth(['login', url, '--bootstrap', secret]);
  if (login.exitCode !== 0) throw new Error(login.stderr);
});

afterAll(async () => {
  server.kill('SIGTERM');
  if (server.exitCode === null) await once(server, 'exit');
  await rm(directory, { recursive: true });
});

function berth(argv: readonly string[], input = ''): Promise<CliResult> {
  return runCliWith(argv, { environment, input, workingDirectory: directory });
}

test('a cluster without hosts has empty lists that say what to do next', async () => {
  for (const [verb, next] of [
    ['host ls', 'Next: berth host token'],
    ['ls', 'Next: berth apply -f compose.yaml'],
    ['image ls', 'Next: berth image load -i ARCHIVE'],
  ] as const) {
    const result = await berth(verb.split(' '));
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stderr).toContain(next);
  }
});

test('bootstrapping works once, and only with the secret', async () => {
  const again = await runCliWith(['login', url, '--bootstrap', 'guess'], { environment: { BERTH_CONFIG: '/none' } });
  expect(again).toMatchObject({ exitCode: EXIT.denied });
  expect(again.stderr).toContain('bootstrap');
});

test('a token is made, used within its scope, and refused once it is revoked', async () => {
  const { stdout } = await berth(['token', 'create', 'watcher', '--scope', 'read', '--expires', '1h']);
  const asWatcher = (argv: readonly string[]): Promise<CliResult> =>
    runCliWith(argv, { environment: { BERTH_URL: url, BERTH_TOKEN: stdout.trim() } });
  expect(await asWatcher(['ls'])).toMatchObject({ exitCode: 0 });
  expect(await asWatcher(['host', 'token'])).toMatchObject({ exitCode: EXIT.denied });
  expect((await berth(['token', 'ls'])).stdout).toMatch(/^watcher +read /m);
  expect(await berth(['token', 'create', 'watcher'])).toMatchObject({ exitCode: EXIT.conflict });
  expect(await berth(['token', 'rm', 'watcher'])).toMatchObject({ exitCode: 0 });
  expect(await asWatcher(['ls'])).toMatchObject({ exitCode: EXIT.denied });
  expect(await berth(['token', 'rm', 'watcher'])).toMatchObject({ exitCode: EXIT.notFound });
});

test("mistakes in a Compose file come back at the user's file and line, and nothing is stored", async () => {
  await writeFile(join(directory, 'bad.yaml'), 'services:\n  web:\n    imagee: x\n    ports: ["80:99999"]\n');
  const result = await berth(['apply', '-f', 'bad.yaml', '-p', 'bad']);
  expect(result).toMatchObject({ exitCode: EXIT.invalid, stdout: '' });
  expect(result.stderr).toContain('bad.yaml is not applied: ');
  expect(result.stderr).toMatch(/^bad\.yaml:3:5: .*imagee.*did you mean image\?$/m);
  expect(result.stderr).toMatch(/^bad\.yaml:4:13: .*80:99999/m);
  expect(JSON.parse((await berth(['ls', '--json'])).stdout)).toEqual({ stacks: [], services: [] });
});

test('what is unknown is exit code 3 for every verb', async () => {
  for (const words of ['ps nope', 'rm nope', 'scale web=2', 'logs hello/web', 'host rm nope']) {
    const { exitCode } = await berth(words.split(' '));
    expect({ words, exitCode }).toEqual({ words, exitCode: EXIT.notFound });
  }
  expect(await berth(['exec', 'hello/web.1', 'ls'])).toMatchObject({ exitCode: EXIT.execFailed });
  expect(await berth(['image', 'load'], 'x')).toMatchObject({ exitCode: EXIT.unavailable });
});

test('events tell who did what', async () => {
  const { stdout } = await berth(['events']);
  expect(stdout).toMatch(/token\.created {2}token watcher \(read\) {2}\(token admin\)/);
  expect(stdout).toMatch(/token\.revoked {2}token watcher was revoked {2}\(token admin\)/);
});

test('a value that the API refuses is told once', async () => {
  const { exitCode, stderr } = await berth(['events', '-n', '0']);
  expect(exitCode).toBe(EXIT.invalid);
  expect(stderr.split('\n').filter((line) => line.includes('Too small'))).toHaveLength(1);
});

test('a data directory that cannot be used is named, with what to do', async () => {
  const start = async (data: string): Promise<string> => {
    const child = spawn(berthProgram, ['control-plane', '--listen', '127.0.0.1:0', '--data', data]);
    const [said, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    return `${String(exitCode)} ${said}`;
  };
  const file = join(directory, 'a-file');
  await writeFile(file, '');
  expect(await start(file)).toMatch(
    /^1 berth control-plane: cannot make the data directory .*a-file: .*\nChoose another/,
  );
  const data = join(directory, 'garbage');
  await mkdir(data);
  await writeFile(join(data, 'cluster.db'), 'no database');
  expect(await start(data)).toMatch(/^1 berth control-plane: cannot open the database .*cluster\.db: .*\nRestore it/);
});
