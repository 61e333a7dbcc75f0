import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineUnderTest } from '../docker-cli/engine.ts';
import { tar, tarEntry, type TarEntry } from '../support/tar.ts';

/*
 * Attacks of a container, and of an archive, upon the host by way of docker cp (CVE-2018-15664, CVE-2019-14271,
 * CVE-2026-41567, -41568, -42306). The bait lies on the host at the very path that a container's link names, so that an
 * open which follows it there would be seen.
 */
const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;
/** A directory of the host, by a path that the container does not have. */
let bait: string;

const secret = 'of the host';

beforeAll(async () => {
  bait = mkdtempSync(join(tmpdir(), 'berth-bait-'));
  stack.defer(() => rmSync(bait, { recursive: true, force: true }));
  writeFileSync(join(bait, 'secret'), secret, { mode: 0o600 });
  mkdirSync(join(bait, 'sub'));
  for (let at = 0; at < 500; at += 1) writeFileSync(join(bait, 'sub', `${at}`), secret, { mode: 0o600 });
  engine = stack.use(await EngineUnderTest.runner());
  await docker('run', '-d', '--name', 'evil', 'busybox:latest', 'sleep', '100000');
});
afterAll(() => stack.disposeAsync());

/** Whatever an attack did: the bait is as it was, and the daemon answers. */
async function expectUnharmed(): Promise<void> {
  expect(readFileSync(join(bait, 'secret'), 'utf8')).toBe(secret);
  expect(execFileSync('ls', ['-A', bait], { encoding: 'utf8' })).toBe('secret\nsub\n');
  expect(readdirSync(join(bait, 'sub'))).toHaveLength(500);
  expect(lstatSync(join(bait, 'secret')).mode & 0o7777).toBe(0o600);
  expect(statSync(bait).mode & 0o7777).toBe(0o700);
  expect((await engine.run({ args: ['version'] })).exit).toBe(0);
}

async function docker(...args: string[]): Promise<string> {
  const { exit, stdout, stderr } = await engine.run({ args });
  if (exit !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Runs a script in the container that attacks. */
const inside = (script: string): Promise<string> => docker('exec', 'evil', 'sh', '-c', script);

interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

/** A copy by the API: a PUT of an archive, or a GET. */
function copy(method: 'PUT' | 'GET', path: string, archive: Readable | Buffer = Buffer.alloc(0)): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const query = new URLSearchParams({ path });
    const sent = request(
      { socketPath: engine.socketPath, method, path: `/v1.51/containers/evil/archive?${query.toString()}` },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => {});
        response.on('close', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) =>
      // An archive that is refused early is not read to its end.
      error.code === 'EPIPE' || error.code === 'ECONNRESET'
        ? resolve({ status: 0, body: Buffer.alloc(0) })
        : reject(error),
    );
    if (Buffer.isBuffer(archive)) sent.end(archive);
    else archive.pipe(sent);
  });
}

const put = (path: string, entries: readonly TarEntry[]): Promise<Reply> => copy('PUT', path, tar(entries));
const text = ({ body }: Reply): string => body.toString('latin1');

describe('links of the container lead into the container', () => {
  test.each([
    '/link/secret',
    '/link',
    '/deep/link/secret',
    '/link/.',
    '/proc/self/root/etc/hostname',
    '/proc/1/root/etc',
  ])('read %s', async (path) => {
    await inside(`ln -sfn ${bait} /link; mkdir -p /deep; ln -sfn ../../../../../../../..${bait} /deep/link`);
    const reply = await copy('GET', path);
    expect(text(reply)).not.toContain(secret);
    // The link alone may be told; what it would lead to on the host is not there.
    expect([404, 500, path === '/link' ? 200 : 404]).toContain(reply.status);
    await expectUnharmed();
  });

  test.each(['/link', '/link/', '/deep/link', '/proc/self/root/tmp', '/proc/1/root/tmp', '/proc/self/cwd'])(
    'write to %s',
    async (path) => {
      await inside(`ln -sfn ${bait} /link; mkdir -p /deep; ln -sfn ../../../../../../../..${bait} /deep/link`);
      const reply = await put(path, [
        { name: 'evil', content: 'evil' },
        { name: 'secret', content: 'evil' },
      ]);
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expect(existsSync('/tmp/evil')).toBe(false);
      await expectUnharmed();
    },
  );

  test('links that an archive brings along', async () => {
    const entries: TarEntry[] = [
      { name: 'out', type: '2', link: bait },
      { name: 'out/evil', content: 'evil' },
    ];
    expect((await put('/tmp', entries)).status).toBe(400);
    const up: TarEntry[] = [
      { name: 'up', type: '2', link: `../../../../../../../../..${bait}` },
      { name: 'up/evil', content: 'evil' },
    ];
    expect((await put('/tmp', up)).status).toBe(400);
    expect((await put('/tmp', [{ name: 'hard', type: '1', link: `../../../../..${bait}/secret` }])).status).toBe(400);
    expect((await put('/tmp', [{ name: 'hard', type: '1', link: `${bait}/secret` }])).status).toBe(400);
    await expectUnharmed();
  });
});

describe('names', () => {
  test.each(['../evil', 'a/../../evil', '/../evil', '..'])('%s is refused', async (name) => {
    expect((await put('/tmp', [{ name, content: 'evil' }])).status).toBe(400);
    await expectUnharmed();
  });

  test('an absolute name is beneath the directory', async () => {
    expect((await put('/tmp', [{ name: `${bait}/evil`, content: 'x' }])).status).toBe(200);
    expect(await inside(`cat /tmp${bait}/evil`)).toBe('x');
    await expectUnharmed();
  });

  test('.. in the path that is asked for ends at the container’s root', async () => {
    expect((await copy('GET', `/../../../../..${bait}/secret`)).status).toBe(404);
    expect((await copy('GET', '/etc/../../../../etc/hostname')).status).toBe(200);
    expect((await copy('GET', '/etc/pass\0wd')).status).toBe(400);
  });

  test('a whiteout’s name is a file’s like others', async () => {
    await inside('echo stays > /tmp/kept');
    const names = ['.wh.kept', '.wh..wh..opq', '.wh.'];
    expect(
      (
        await put(
          '/tmp',
          names.map((name) => ({ name, content: name })),
        )
      ).status,
    ).toBe(200);
    expect(await inside('cat /tmp/kept "/tmp/.wh.kept"')).toBe('stays\n.wh.kept');
  });
});

describe('what is no file', () => {
  test('a FIFO and a device in the way of a read are not opened', async () => {
    await inside('mkdir -p /tmp/odd; cd /tmp/odd; mkfifo -m 666 fifo; mknod null c 1 3; echo x > file');
    const reply = await copy('GET', '/tmp/odd');
    expect(reply.status).toBe(200);
    const types = execFileSync('tar', ['-tvf', '-'], { input: reply.body, encoding: 'utf8' });
    expect(types).toMatch(/^p.* odd\/fifo$/m);
    expect(types).toMatch(/^c.* odd\/null$/m);
    expect((await copy('GET', '/tmp/odd/fifo')).status).toBe(200);
  });

  test('one in the way of a write is replaced, never written to', async () => {
    await inside('rm -rf /tmp/way; mkdir /tmp/way; cd /tmp/way; mkfifo fifo; mknod full c 1 7; ln -s /etc/passwd link');
    const entries = ['fifo', 'full', 'link'].map((name) => ({ name, content: name }));
    expect((await put('/tmp/way', entries)).status).toBe(200);
    expect(await inside('cd /tmp/way; cat fifo full link; test ! -L link && grep -c root /etc/passwd')).toBe(
      'fifofulllink1\n',
    );
  });

  test.each([
    ['fifo', 'mkfifo /etc/passwd'],
    ['huge', 'dd if=/dev/null of=/etc/passwd bs=1M seek=10240 count=1'],
  ])('/etc/passwd is %s when a user’s name is to be looked up', async (name, way) => {
    await docker('run', '-d', '--name', name, '-u', '1000', 'busybox:latest', 'sleep', '100000');
    const changed = await engine.run({ args: ['exec', '-u', '0', name, 'sh', '-c', `rm -f /etc/passwd; ${way}`] });
    expect(changed.exit).toBe(0);
    const argv = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-X', 'PUT', '--data-binary', '@-', '-m', '120'];
    const url = `http://d/v1.51/containers/${name}/archive?path=/tmp&copyUIDGID=1`;
    const input = tar([{ name: 'owned', content: 'x' }]);
    const options = ['--unix-socket', engine.socketPath, url];
    expect(execFileSync('curl', [...argv, ...options], { input, encoding: 'utf8' })).toBe('200');
    await docker('kill', name);
    expect(await docker('cp', `${name}:/tmp/owned`, '-')).toContain('0001750'); // 1000
    await expectUnharmed();
  });

  test('nodes that an archive brings are made in the container alone', async () => {
    const entries: TarEntry[] = [
      { name: 'disk', type: '4', device: [8, 0], mode: 0o666 },
      { name: 'memory', type: '3', device: [1, 1], mode: 0o666 },
      { name: 'pipe', type: '6' },
    ];
    expect((await put('/tmp', entries)).status).toBe(200);
    expect((await engine.run({ args: ['exec', 'evil', 'cat', '/tmp/memory'] })).stderr).toMatch(
      /denied|not permitted/i,
    );
    await expectUnharmed();
  });
});

describe('what is too much', () => {
  test('a size that nobody has', async () => {
    const lie = tarEntry({ name: 'huge', statedSize: 8 ** 11 - 1, content: 'little' });
    expect((await copy('PUT', '/tmp', lie)).status).toBe(400);
    const pax = { size: '9007199254740993000' };
    expect((await put('/tmp', [{ name: 'huge', pax, content: 'x' }])).status).toBe(400);
    await expectUnharmed();
  });

  test('a header whose checksum does not hold, and bytes that are no tar', async () => {
    const damaged = tar([
      { name: 'one', content: '1' },
      { name: 'two', content: '2' },
    ]);
    damaged[1024 + 3] = 0x41;
    expect((await copy('PUT', '/tmp', damaged)).status).toBe(400);
    const noise = createHash('sha512').update('noise').digest();
    expect((await copy('PUT', '/tmp', Buffer.concat(Array.from({ length: 64 }, () => noise)))).status).toBe(400);
    await expectUnharmed();
  });

  test('an archive of 10,000 levels', async () => {
    const name = `${'d/'.repeat(10_000)}f`;
    expect((await put('/tmp', [{ name, content: 'x' }])).status).toBe(400);
    await expectUnharmed();
  });

  test('a tree of 3,000 levels is cut off by an error, and may be replaced', async () => {
    // Deeper than a path is long. A hundred at a time, since the working directory may be deeper than that.
    const levels = `i=0; while [ $i -lt 30 ]; do mkdir -p ${'d/'.repeat(100)}; cd -P ${'d/'.repeat(100)}; i=$((i+1)); done`;
    await inside(`mkdir -p /tmp/levels; cd /tmp/levels; { ${levels}; } 2>/dev/null; true`);
    const reply = await copy('GET', '/tmp/levels');
    expect(reply.body.length).toBeGreaterThan(512 * 2000);
    const list = ['-c', 'tar -tf - 2>&1 | wc -l']; // the end is missing
    expect(Number(execFileSync('sh', list, { input: reply.body, encoding: 'utf8' }))).toBeLessThan(2100);
    expect((await put('/tmp', [{ name: 'levels', content: 'a file now' }])).status).toBe(200);
    expect(await inside('cat /tmp/levels')).toBe('a file now');
    await expectUnharmed();
  });

  test('names of 255 bytes, far down', async () => {
    const part = 'n'.repeat(255);
    await inside(`mkdir -p /tmp/long/${part}/${part}; echo deep > /tmp/long/${part}/${part}/${part}`);
    const reply = await copy('GET', '/tmp/long');
    const names = execFileSync('tar', ['-tf', '-'], { input: reply.body, encoding: 'utf8' });
    expect(names.split('\n')).toContain(`long/${part}/${part}/${part}`);
    await inside('mkdir -p /tmp/again');
    expect((await copy('PUT', '/tmp/again', reply.body)).status).toBe(200);
    expect(await inside(`cat /tmp/again/long/${part}/${part}/${part}`)).toBe('deep\n');
  });
});

describe('races', () => {
  /** Swaps a directory for a link to the bait and back, as fast as the container can, while `attempts` go on. */
  async function whileSwapping(attempt: () => Promise<void>, count: number): Promise<void> {
    await inside('rm -rf /tmp/race; mkdir -p /tmp/race/real/sub; echo mine > /tmp/race/real/secret');
    // Many, so that a directory is exchanged while it is walked through.
    await inside('cd /tmp/race/real/sub; i=0; while [ $i -lt 500 ]; do echo mine > $i; i=$((i+1)); done');
    await inside(`cd /tmp/race; echo mine > real/sub/secret; ln -s ${bait} bait`);
    const loop = 'cd /tmp/race; while :; do mv real dir; mv dir real; mv bait dir; mv dir bait; done 2>/dev/null';
    const argv = ['-H', `unix://${engine.socketPath}`, 'exec', 'evil', 'sh', '-c', loop];
    const swapper = spawn('docker', argv, { stdio: 'ignore' });
    try {
      for (let at = 0; at < count; at += 1) await attempt();
    } finally {
      swapper.kill('SIGKILL');
      // The loop itself runs in the container on.
      await inside('kill $(ps -o pid,args | grep "while :" | grep -v grep | awk "{print \\$1}") 2>/dev/null; true');
    }
  }

  test('reading while a directory becomes a link and back', async () => {
    let told = 0;
    await whileSwapping(async () => {
      for (const path of ['/tmp/race/dir/secret', '/tmp/race/dir/.', '/tmp/race']) {
        const reply = await copy('GET', path);
        expect(text(reply)).not.toContain(secret);
        if (reply.status === 200) told += 1;
      }
    }, 30);
    expect(told).toBeGreaterThan(0);
    await expectUnharmed();
  });

  test('writing while a directory becomes a link and back', async () => {
    let done = 0;
    const entries: TarEntry[] = [
      { name: 'dir/', type: '5', mode: 0o777 },
      { name: 'dir/secret', content: 'evil', mode: 0o777 },
      { name: 'dir/evil', content: 'evil' },
      { name: 'dir/pipe', type: '6', mode: 0o777 },
      { name: 'dir/link', type: '1', link: 'dir/secret' },
    ];
    await whileSwapping(async () => {
      const replies = [
        await put('/tmp/race', entries),
        await put('/tmp/race/dir', [{ name: 'evil', content: 'evil' }]),
      ];
      done += replies.filter(({ status }) => status === 200).length;
    }, 60);
    expect(done).toBeGreaterThan(0);
    await expectUnharmed();
  });
});

test('CVE-2019-14271, CVE-2026-41567: no program of the container is run', async () => {
  await docker('run', '-d', '--name', 'tools', 'busybox:latest', 'sleep', '100000');
  const tools = 'tar gzip gunzip bzip2 unxz xz unpigz zstd true cat id';
  const script = `for tool in ${tools}; do rm -f /bin/$tool; printf '#!/bin/sh\\n: > /ran\\n' > /bin/$tool; chmod 755 /bin/$tool; done`;
  await docker('exec', 'tools', 'sh', '-c', script);
  await docker('cp', join(bait, 'secret'), 'tools:/tmp/in');
  await docker('cp', 'tools:/tmp/in', join(bait, 'out'));
  rmSync(join(bait, 'out'));
  expect(await docker('exec', 'tools', 'sh', '-c', '[ -e /ran ]; echo $?')).toBe('1\n');
  await docker('exec', 'tools', 'tar');
  expect(await docker('exec', 'tools', 'sh', '-c', '[ -e /ran ]; echo $?')).toBe('0\n');
});

test('the directory of the data root is nowhere in what is told', async () => {
  for (const path of ['/none', '/etc/passwd/x', '/proc/self/root/x']) {
    expect(text(await copy('GET', path))).not.toContain('berth-cli');
  }
});
