import { execFileSync } from 'node:child_process';
import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerdIsInstalled, EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';
import { hasClient28 } from '../support/docker-client.ts';
import { run } from '../support/stage/command.ts';

const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-archive-'));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  engine = stack.use(await EngineUnderTest.runner());
  mkdirSync(at('src/sub'), { recursive: true });
  writeFileSync(at('src/sub/file'), 'hello');
  symlinkSync('sub/file', at('src/link'));
  chownSync(at('src/sub/file'), 1234, 2345);
});
afterAll(() => stack.disposeAsync());

function at(name: string): string {
  return join(directory, name);
}

async function docker(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await engine.run({ args });
  if (exit !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

const refused = (...args: string[]): Promise<Outcome> => engine.run({ args });

/** One call of the API; status, headers and body. */
async function call(method: string, path: string, ...rest: string[]): Promise<{ status: number; text: string }> {
  const argv: [string, ...string[]] = ['curl', '-s', '-i', ...(method === 'HEAD' ? ['-I'] : ['-X', method])];
  const { stdout } = await run([...argv, ...rest, '--unix-socket', engine.socketPath, `http://d/v1.51${path}`], {
    environment: process.env,
    input: '',
    signal: AbortSignal.timeout(120_000),
  });
  return { status: Number(stdout.slice(9, 12)), text: stdout };
}

/** A client command in a pipe of the shell, with the socket in $DOCKER_HOST. */
function piped(script: string): string {
  const env = { ...process.env, DOCKER_HOST: `unix://${engine.socketPath}` };
  return execFileSync('bash', ['-o', 'pipefail', '-c', script], { cwd: directory, env, encoding: 'utf8' });
}

describe.each(['created', 'running', 'stopped'])('docker cp and a container that is %s', (state) => {
  const name = `cp-${state}`;
  beforeAll(async () => {
    await docker('create', '--name', name, '--user', '33:44', 'busybox:latest', 'sleep', '1000');
    if (state !== 'created') await docker('start', name);
    if (state === 'stopped') await docker('kill', name);
  });

  test('copies in and out again, what is there already included', async () => {
    for (const _ of [1, 2]) await docker('cp', at('src'), `${name}:/tmp`);
    await docker('cp', `${name}:/tmp/src`, at(`out-${state}`));
    expect(readFileSync(at(`out-${state}/sub/file`), 'utf8')).toBe('hello');
    expect(readlinkSync(at(`out-${state}/link`))).toBe('sub/file');
    await docker('cp', `${name}:/tmp/src/.`, at(`dot-${state}`));
    expect(readdirSync(at(`dot-${state}`)).toSorted()).toEqual(['link', 'sub']);
  });

  test('follows a link when that is asked for, and gives the container’s user the files', async () => {
    await docker('cp', '-L', at('src/link'), `${name}:/tmp/followed`);
    await docker('cp', '-a', at('src/sub/file'), `${name}:/tmp/owned`);
    await docker('cp', `${name}:/tmp/src/link`, at(`link-${state}`));
    await docker('cp', '-L', `${name}:/tmp/src/link`, at(`file-${state}`));
    expect(lstatSync(at(`link-${state}`)).isSymbolicLink()).toBe(true);
    expect(lstatSync(at(`file-${state}`)).isFile()).toBe(true);
    expect(piped(`docker cp ${name}:/tmp/owned - | tar --numeric-owner -tvf -`)).toContain('33/44');
    expect(piped(`docker cp ${name}:/tmp/src - | tar --numeric-owner -tvf -`)).toContain('1234/2345');
  });

  test('takes and gives tars on standard input and output', async () => {
    piped(`tar -C src -cz . | docker cp - ${name}:/tmp`);
    expect(piped(`docker cp ${name}:/tmp/link - | tar -tf -`)).toBe('link\n');
  });

  test.runIf(hasClient28)('says what is not there, in dockerd’s words', async () => {
    const text = `Could not find the file /none in container ${name}`;
    expect((await refused('cp', `${name}:/none`, at('x'))).stderr).toBe(`Error response from daemon: ${text}\n`);
    expect((await call('HEAD', `/containers/${name}/archive?path=/none`)).status).toBe(404);
    expect((await call('GET', `/containers/${name}/archive?path=/none`)).text).toContain(text);
    expect((await call('GET', `/containers/${name}/archive`)).status).toBe(400);
    const put = await call('PUT', `/containers/${name}/archive?path=/etc/passwd`, '--data-binary', 'x');
    expect([put.status, put.text]).toEqual([400, expect.stringContaining('extraction point is not a directory')]);
    const stat = await call('HEAD', `/containers/${name}/archive?path=/etc`);
    const header = /X-Docker-Container-Path-Stat: (\S+)/i.exec(stat.text)?.[1] ?? '';
    expect(JSON.parse(Buffer.from(header, 'base64').toString())).toMatchObject({ name: 'etc', mode: 2147484141 });
  });

  test('nothing of it is in the mounts of the host', () => {
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(dirname(engine.socketPath));
  });
});

test('a copy to a root that is read-only is refused, one to a volume of it is not', async () => {
  await docker('run', '-d', '--name', 'mounted', '--read-only', '-v', '/data', 'busybox:latest', 'sleep', '1000');
  expect((await refused('cp', at('src'), 'mounted:/tmp')).stderr).toContain('container rootfs is marked read-only');
  await docker('cp', at('src'), 'mounted:/data');
  expect(await docker('exec', 'mounted', 'cat', '/data/src/sub/file')).toBe('hello');
});

test('an export is imported, and runs', async () => {
  await docker('run', '--name', 'exported', 'busybox:latest', 'sh', '-c', 'echo kept > /kept; rm /etc/group');
  piped('docker export exported | docker import -c "CMD cat /kept" -c "ENV A=b" -m "by hand" - imported:1');
  expect(await docker('run', '--rm', 'imported:1')).toBe('kept');
  expect(await docker('inspect', '-f', '{{.Comment}} {{.Config.Env}}', 'imported:1')).toBe('by hand [A=b]');
  expect(piped('docker export exported | tar -tf -')).not.toContain('etc/group');
  expect((await refused('import', '-c', 'RUN make', '-', 'x')).stderr).toContain('RUN is not a valid change command');
  expect((await call('POST', '/images/create?fromSrc=http://x/y')).status).toBe(501);
  expect((await call('POST', '/images/create?fromImage=x')).status).toBe(501);
  for (const program of ['gzip', 'bzip2', 'xz']) {
    piped(`docker export exported | ${program} -1 | docker import - imported:${program}`);
    expect(await docker('run', '--rm', `imported:${program}`, 'cat', '/kept')).toBe('kept');
  }
});

test('a commit has what was written, without what was deleted, with the changes that were asked for', async () => {
  const script = 'echo new > /new; rm /etc/group; mkdir /opt; rm -r /tmp; mkdir /tmp; echo x > /tmp/x';
  await docker('run', '--name', 'base', '-e', 'OWN=1', 'busybox:latest', 'sh', '-c', script);
  const changes = ['-c', 'CMD ["cat", "/new"]', '-c', 'ENV B=$OWN', '-c', 'EXPOSE 80', '-c', 'LABEL l="a b"'];
  const id = await docker('commit', '-a', 'me', '-m', 'a note', ...changes, 'base', 'committed:1');
  expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(await docker('run', '--rm', 'committed:1')).toBe('new');
  expect(await docker('run', '--rm', 'committed:1', 'ls', '/tmp', '/opt')).toBe('/opt:\n\n/tmp:\nx');
  expect((await refused('run', '--rm', 'committed:1', 'cat', '/etc/group')).exit).toBe(1);
  const shown = JSON.parse(await docker('inspect', 'committed:1')) as [Record<string, unknown>];
  expect(shown[0]).toMatchObject({
    Id: id,
    Author: 'me',
    Comment: 'a note',
    Config: { Env: expect.arrayContaining(['OWN=1', 'B=1']), ExposedPorts: { '80/tcp': {} }, Labels: { l: 'a b' } },
  });
  expect((await docker('history', '-q', 'committed:1')).split('\n')).toHaveLength(2);
  expect((await refused('commit', '-c', 'FROM x', 'base')).stderr).toContain('FROM is not a valid change command');
  expect((await refused('commit', 'base', 'UPPER')).stderr).toContain('must be lowercase');
  expect((await refused('commit', 'nobody')).stderr).toContain('No such container: nobody');
  const again = await docker('commit', 'base');
  expect(await docker('run', '--rm', again, 'cat', '/new')).toBe('new');
});

test('a running container is committed', async () => {
  await docker('run', '-d', '--name', 'live', 'busybox:latest', 'sh', '-c', 'echo 1 > /now; sleep 1000');
  await expect.poll(() => docker('exec', 'live', 'cat', '/now').catch(() => '')).toBe('1');
  expect(await docker('diff', 'live')).toContain('A /now');
  await docker('commit', 'live', 'lived');
  expect(await docker('inspect', '-f', '{{.State.Running}}', 'live')).toBe('true');
  expect(await docker('run', '--rm', 'lived', 'cat', '/now')).toBe('1');
});

test('what is saved is loaded again with the same IDs, here and by dockerd', async () => {
  await docker('run', '--name', 'layered', 'busybox:latest', 'sh', '-c', 'ln /etc/passwd /hard; rm /etc/group');
  const id = await docker('commit', 'layered', 'saved:1');
  await docker('tag', 'saved:1', 'saved:2');
  const base = await docker('inspect', '-f', '{{.Id}}', 'busybox:latest');
  await docker('save', '-o', at('saved.tar'), 'saved', 'busybox:latest');
  const names = execFileSync('tar', ['-tf', at('saved.tar')], { encoding: 'utf8' }).split('\n');
  expect(names).toEqual(expect.arrayContaining(['manifest.json', 'index.json', 'oci-layout', 'repositories']));
  expect(new Set(names).size).toBe(names.length);

  await docker('rm', 'layered');
  await docker('rmi', 'saved:1', 'saved:2');
  const told = await docker('load', '-i', at('saved.tar'));
  expect(told.split('\n').toSorted()).toEqual(
    ['busybox:latest', 'saved:1', 'saved:2'].map((name) => `Loaded image: ${name}`),
  );
  expect(await docker('inspect', '-f', '{{.Id}}', 'saved:2')).toBe(id);
  expect((await refused('save', '-o', at('none.tar'), 'nothing')).stderr).toContain('No such image: nothing');
  expect((await refused('save', '-o', at('none.tar'), 'no:1')).stderr).toContain('reference does not exist');
  expect(piped('docker save saved:1 | tar -xOf - manifest.json')).toContain('"RepoTags":["saved:1"]');
  if (!dockerdIsInstalled) return;
  await using peer = await EngineUnderTest.dockerd();
  const loaded = await peer?.run({ args: ['load', '-i', at('saved.tar')] });
  expect(loaded).toMatchObject({ exit: 0, stderr: '' });
  const ids = await peer?.run({ args: ['inspect', '-f', '{{.Id}}', 'saved:1', 'busybox:latest'] });
  expect(ids?.stdout.trim().split('\n')).toEqual([id, base]);
  expect((await peer?.run({ args: ['run', '--rm', 'saved:1', 'cat', '/hard'] }))?.stdout).toContain('root:');
  // And what dockerd saves comes back to the byte.
  await peer?.run({ args: ['save', '-o', at('peer.tar'), 'saved:1'] });
  await docker('load', '-i', at('peer.tar'));
  expect(await docker('inspect', '-f', '{{.Id}}', 'saved:1')).toBe(id);
});

test('a client that stalls holds up neither exit nor removal, and its program goes', async () => {
  await docker('run', '-d', '--name', 'stalled', 'busybox:latest', 'sleep', '1000');
  await docker('exec', 'stalled', 'dd', 'if=/dev/zero', 'of=/big', 'bs=1M', 'count=64');
  const url = `http://d/v1.51/containers/stalled/archive?path=/`;
  const script = `curl -s --unix-socket ${engine.socketPath} '${url}' | (head -c 1 >/dev/null; exec sleep 1000)`;
  const stalled = (await import('node:child_process')).spawn('bash', ['-c', script], {
    detached: true,
    stdio: 'ignore',
  });
  try {
    await expect.poll(() => programs()).toBe(1);
    await docker('stop', '-t', '0', 'stalled');
    await docker('rm', 'stalled');
    await expect.poll(() => programs()).toBe(0);
  } finally {
    process.kill(-(stalled.pid ?? 0), 'SIGKILL');
  }
});

/** How many berth-files this runner has started that still run. */
function programs(): number {
  const children = readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, 'utf8').trim().split(' ');
  return children.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'berth-files\n';
    } catch {
      return false; // it has ended meanwhile
    }
  }).length;
}
