import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { runOk, type CommandResult } from '../support/stage/command.ts';
import { composePath, runPython } from './python-client.ts';

/*
 * docker-compose 1.29 (of Python, by docker-py) brings a project of three services up, works with it and takes it down. The
 * tests are the steps of one job, in this order.
 */

let stack: AsyncDisposableStack;
let engine: EngineUnderTest;
let directory: string;

async function compose(words: string, ...rest: readonly string[]): Promise<CommandResult> {
  const files = ['-p', 'harbour', '-f', join(directory, 'compose.yaml'), '--no-ansi'];
  return runPython(engine.socketPath, [composePath(), ...files, ...words.split(' '), ...rest], { directory });
}

/** Standard output of a step that must succeed. */
async function composed(words: string, ...rest: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await compose(words, ...rest);
  if (exitCode !== 0) throw new Error(`docker-compose ${words}: ${exitCode}\n${stderr}${stdout}`);
  return stdout;
}

async function docker(words: string): Promise<string> {
  const { exit, stdout, stderr } = await engine.run({ args: words.split(' ') });
  if (exit !== 0) throw new Error(`docker ${words}: ${exit}\n${stderr}`);
  return stdout;
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** What a service's shell says. */
function inside(service: string, script: string): Promise<string> {
  return composed(`exec -T ${service} sh -c`, script);
}

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'berth-compose-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  await copyFile(join(import.meta.dirname, 'compose.yaml'), join(directory, 'compose.yaml'));
  engine = stack.use(await EngineUnderTest.runner());
});

afterAll(() => stack.disposeAsync());

describe('docker-compose', () => {
  test('up makes network, volume and containers, in the order of their dependence', async () => {
    const { exitCode, stderr } = await compose('up -d');
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stderr).toContain('Creating network "harbour_quay" with the default driver');
    expect(stderr).toContain('Creating volume "harbour_cargo" with default driver');
    const made = ['store', 'app', 'web'].map((name) =>
      stderr.search(new RegExp(`Creating harbour_${name}_1 +\\.\\.\\. done`)),
    );
    expect(made).not.toContain(-1);
    expect(made).toEqual(made.toSorted((a, b) => a - b));
    expect(lines(await docker('network ls --filter name=harbour_quay --format {{.Name}}/{{.Driver}}'))).toEqual([
      'harbour_quay/bridge',
    ]);
    expect(lines(await docker('volume ls --format {{.Name}}'))).toEqual(['harbour_cargo']);
  });

  test('ps lists them', async () => {
    const table = await composed('ps');
    for (const name of ['web', 'app', 'store']) expect(table).toMatch(new RegExp(`^harbour_${name}_1 .* Up `, 'm'));
    expect(lines(await composed('ps -q'))).toHaveLength(3);
    expect(lines(await composed('ps --services')).toSorted()).toEqual(['app', 'store', 'web']);
    expect(lines(await docker('ps -q --no-trunc --filter label=tier=keeping'))).toEqual(
      lines(await composed('ps -q store')),
    );
  });

  test('the published port answers', async () => {
    const [address] = lines(await composed('port web 80'));
    const port = /^0\.0\.0\.0:(\d+)$/.exec(address ?? '')?.[1];
    const enter = ['nsenter', `--net=/run/netns/${engine.namespace}`] as const;
    const fetch = (): Promise<string> =>
      runOk([...enter, 'busybox', 'wget', '-q', '-O', '-', `http://127.0.0.1:${port}/`]);
    await expect.poll(fetch).toBe('ahoy from web\n');
  });

  test('services find each other by name and alias, and share the volume', async () => {
    await expect.poll(() => inside('web', 'wget -q -O - http://app:8080/')).toBe('kept\n');
    expect(await inside('web', 'wget -q -O - http://harbour_app_1:8080/')).toBe('kept\n');
    expect(await inside('app', 'ping -c 1 vault | head -1')).toMatch(/^PING vault \(\d+\.\d+\.\d+\.\d+\)/);
    expect(await inside('app', 'touch /data/x 2>&1 || echo refused')).toContain('Read-only file system');
    expect(await inside('web', 'tail -1 /etc/resolv.conf')).toContain('ndots:0');
  });

  test('exec tells the exit code and takes variables, a user and a directory', async () => {
    expect(await compose('exec -T web sh -c', 'exit 7')).toMatchObject({ exitCode: 7 });
    expect(
      await composed('exec -T -e DEPTH=9 -w /tmp -u nobody web sh -c', 'echo $DEPTH $GREETING $PWD $(id -u)'),
    ).toBe('9 ahoy /tmp 65534\n');
  });

  test('logs are told by service', async () => {
    await expect.poll(() => composed('logs --no-color store')).toMatch(/^store_1 +\| store is open$/m);
    const all = await composed('logs --no-color --tail 1');
    expect(all).toMatch(/^app_1 +\| app has started$/m);
    expect(all).toMatch(/^store_1 +\| store is open$/m);
  });

  test('up again changes nothing; top, config and images work', async () => {
    const before = await composed('ps -q');
    const { exitCode, stderr } = await compose('up -d');
    expect(exitCode).toBe(0);
    for (const name of ['web', 'app', 'store']) expect(stderr).toContain(`harbour_${name}_1 is up-to-date`);
    expect(await composed('ps -q')).toBe(before);
    expect(await composed('top store')).toContain('sleep 600');
    expect(lines(await composed('config --services')).toSorted()).toEqual(['app', 'store', 'web']);
    expect(await composed('images')).toMatch(/harbour_web_1 +busybox +latest/);
  });

  test('scaled services share a name', async () => {
    expect(await compose('up -d --scale app=3')).toMatchObject({ exitCode: 0 });
    expect(lines(await composed('ps -q app'))).toHaveLength(3);
    const found = await inside('web', 'nslookup app | sed -n "s/^Address.*: //p" | grep -v :53');
    expect(new Set(lines(found)).size).toBe(3);
    expect(await compose('up -d --scale app=1')).toMatchObject({ exitCode: 0 });
    expect(lines(await composed('ps -q app'))).toHaveLength(1);
    expect(lines(await inside('web', 'nslookup app | sed -n "s/^Address.*: //p" | grep -v :53'))).toHaveLength(1);
  });

  test('restart keeps the container and the data', async () => {
    const [id] = lines(await composed('ps -q store'));
    const started = await docker(`inspect --format {{.State.StartedAt}} ${id}`);
    expect(await compose('restart -t 1 store')).toMatchObject({ exitCode: 0 });
    expect(lines(await composed('ps -q store'))).toEqual([id]);
    expect(await docker(`inspect --format {{.State.StartedAt}} ${id}`)).not.toBe(started);
    const starts = (): Promise<number> => inside('app', 'cat /data/starts').then((text) => lines(text).length);
    await expect.poll(starts).toBe(2);
  });

  test('stop, start, pause and kill', async () => {
    expect(await compose('pause app')).toMatchObject({ exitCode: 0 });
    expect(await composed('ps app')).toMatch(/Paused/);
    expect(await compose('unpause app')).toMatchObject({ exitCode: 0 });
    expect(await compose('kill -s KILL app')).toMatchObject({ exitCode: 0 });
    const status = (): Promise<string> => composed('ps app');
    await expect.poll(status).toMatch(/Exit 137/);
    expect(await compose('start app')).toMatchObject({ exitCode: 0 });
    expect(await composed('ps app')).toMatch(/ Up /);
    expect(await compose('stop -t 1 app')).toMatchObject({ exitCode: 0 });
    expect(await composed('ps app')).toMatch(/Exit 1(37|43)/);
    expect(await compose('start app')).toMatchObject({ exitCode: 0 });
  });

  test('a changed service is made anew, the others stay', async () => {
    const store = await composed('ps -q store');
    const web = await composed('ps -q web');
    const files = ['-p', 'harbour', '-f', join(directory, 'compose.yaml')];
    const argv = ['-c', `import os, sys; os.environ["GREETING"] = "hello"; os.execv(sys.argv[1], sys.argv[1:])`];
    const changed = await runPython(engine.socketPath, [...argv, composePath(), ...files, 'up', '-d'], { directory });
    expect(changed.stderr).toMatch(/Recreating harbour_web_1 +\.\.\. done/);
    expect(await composed('ps -q store')).toBe(store);
    expect(await composed('ps -q web')).not.toBe(web);
    const served = (): Promise<string> => inside('app', 'wget -q -O - http://web/');
    await expect.poll(served).toBe('hello from web\n');
  });

  test('run makes one more container for one command', async () => {
    const { exitCode, stdout } = await compose('run --rm -T --no-deps app sh -c', 'cat /data/index.html; exit 5');
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: 'kept\n' });
    expect(lines(await docker('ps -aq'))).toHaveLength(3);
  });

  test('down -v leaves nothing', async () => {
    const { exitCode, stderr } = await compose('down -v');
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    for (const name of ['web', 'app', 'store'])
      expect(stderr).toMatch(new RegExp(`Removing harbour_${name}_1 +... done`));
    expect(stderr).toContain('Removing network harbour_quay');
    expect(stderr).toContain('Removing volume harbour_cargo');
    expect(await docker('ps -aq')).toBe('');
    expect(await docker('volume ls -q')).toBe('');
    expect(lines(await docker('network ls --format {{.Name}}')).toSorted()).toEqual(['bridge', 'host', 'none']);
  });
});
