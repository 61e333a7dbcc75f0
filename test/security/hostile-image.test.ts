import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TarEntry } from '../support/tar.ts';
import { EngineRoom, type ScriptResult } from './engine-room.ts';

let room: EngineRoom;
let plain: string;
/** A directory of the host that no container may reach. */
let outside: string;
beforeAll(async () => {
  outside = mkdtempSync('/tmp/berth-outside-');
  writeFileSync(join(outside, 'secret'), 'of the host\n');
  writeFileSync(join(outside, 'passwd'), 'intruder:x:0:0::/:/bin/sh\n');
  room = await EngineRoom.open();
  plain = await room.image();
});
afterAll(async () => {
  rmSync(outside, { recursive: true });
  await room[Symbol.asyncDispose]();
});

const link = (name: string, target: string): TarEntry => ({ name, type: '2', link: target });
const climb = '../../../../../../../../../../..';

/** The result of a run, or the text of the error that refused it. */
async function attempt(imageId: string, script: string, options: object = {}): Promise<ScriptResult | string> {
  return room.run(imageId, script, options).catch((error: unknown) => String(error));
}

/** Whatever an image did to /proc, /sys and /dev, a container that starts has the real ones with their masks. */
const inspect = `stat -f -c %T /proc /sys; wc -c < /proc/keys; touch /sys/kernel/x; echo 1 > /proc/sys/kernel/panic
  probe device /tmp/disk b 254 0; ls /; cat OUTSIDE/secret`;

const refusal = /launch container [0-9a-f]{12}: (open|make|mount|create|verify|set|enter)[a-zA-Z ()/]* \/\S*: E[A-Z]+/;

/** `refused` or `contained`; else what was seen. */
function verdict(outcome: ScriptResult | string): string {
  if (typeof outcome === 'string') return refusal.test(outcome) ? 'refused' : outcome;
  const { stdout, stderr } = outcome;
  const real = stdout.startsWith('proc\nsysfs\n0\n') && stdout.includes('\nread 1\n');
  const readonly = stderr.match(/Read-only file system|Operation not permitted/g)?.length === 2;
  return real && readonly && !stdout.includes('of the host') ? 'contained' : JSON.stringify(outcome);
}

describe('the directories of the kernel’s file systems are symlinks in the image (CVE-2019-19921, 2023-27561)', () => {
  test.each(['/tmp', '/', '.', '/etc', '/dev', '/sys', '/proc', '/proc/self', '/proc/1/root', 'OUTSIDE', climb])(
    'to %s: refused, or contained',
    async (target) => {
      for (const name of ['proc', 'sys', 'dev', 'dev/shm', 'dev/pts', 'sys/fs/cgroup']) {
        const image = await room.image(link(name, target.replace('OUTSIDE', outside)));
        const outcome = await attempt(image, inspect.replace('OUTSIDE', outside));
        expect(`${name} ${verdict(outcome)}`).toMatch(/ (refused|contained)$/);
      }
    },
  );
});

describe('the files that the engine binds are links in the image (CVE-2021-30465)', () => {
  test.each([
    ['absolute, to a file', '/etc/passwd'],
    ['absolute, to nothing', '/tmp/none/such'],
    ['to a file of the host', 'OUTSIDE/secret'],
    ['climbing to a file of the host', `${climb}OUTSIDE/secret`],
    ['to nothing in a directory of the host', 'OUTSIDE/created'],
    ['to itself', 'hosts'],
    ['into /proc', '/proc/self/environ'],
    ['through /proc to the host', '/proc/1/root/etc/hosts'],
    ['to a descriptor', '/proc/self/fd/3'],
    ['to a device', '/dev/null'],
  ])('/etc/hosts is a symlink, %s', async (_how, target) => {
    const image = await room.image(link('etc/hosts', target.replace('OUTSIDE', outside)));
    const outcome = await attempt(image, 'echo more >> /etc/hosts; cat /etc/hosts');
    const text = typeof outcome === 'string' ? outcome : outcome.stdout;
    expect(text).toMatch(/^127\.0\.0\.1\tlocalhost\n[^]*more\n$|^Error: launch container/);
    expect(readFileSync('/etc/hosts', 'utf8')).not.toContain('more');
    expect(readdirSync(outside).toSorted()).toEqual(['passwd', 'secret']);
  });

  test.each(['OUTSIDE', '/tmp', '/proc', climb])('/etc itself is a symlink to %s', async (target) => {
    const image = await room.image(
      ...['etc/passwd', 'etc/group'].map((name): TarEntry => ({ name: `tmp/${name.slice(4)}`, content: '' })),
      link('etc', target.replace('OUTSIDE', outside)),
    );
    const outcome = await attempt(image, 'cat /etc/secret; ls /etc/; true');
    expect(JSON.stringify(outcome)).not.toContain('of the host');
    expect(readdirSync(outside).toSorted()).toEqual(['passwd', 'secret']);
  });
});

describe('the working directory (CVE-2024-21626)', () => {
  const inner = ['/proc/self/fd/3', '/proc/self/fd/7', '/proc/self/fd/8', '/proc/self/fd/9/..', '/proc/self/cwd/..'];
  test.each([...inner, climb, '/proc/1/root/..', 'OUTSIDE'])('is, or is a link to, %s', async (path) => {
    const target = path.replace('OUTSIDE', outside);
    const image = await room.image(link('work', target));
    const container = await room.start(plain);
    const linked = await room.start(image);
    for (const [imageId, workingDirectory] of [
      [plain, target.startsWith('/') ? target : `/${target}`],
      [image, '/work'],
      [image, '/work/deeper'],
    ] as const) {
      const look = 'pwd; readlink /proc/self/cwd; ls -a . .. ../..; cat secret';
      const outcome = JSON.stringify(await attempt(imageId, look, { workingDirectory }));
      const running = imageId === plain ? container : linked;
      const exec = await room
        .exec(running.id, ['sh', '-c', look], { cwd: workingDirectory })
        .then(JSON.stringify, (error: unknown) => String(error));
      for (const text of [outcome, exec]) {
        expect(text).not.toMatch(/of the host|lost\+found|boot|unreachable/);
      }
    }
    expect(readdirSync(outside).toSorted()).toEqual(['passwd', 'secret']);
    for (const { id } of [container, linked]) await room.engine.call('remove', id, { force: true });
  });
});

describe('the user (CVE-2022-23648, 2026-30892, 2026-47262)', () => {
  const bad = ['0x0', '-1', '4294967296', '4294967295', '2147483648', '1e1', ' 0', '0 ', '+0', '00000000000', 'root\n'];
  test.each([...bad, 'root\nx:x:0', '0:-1', '0:root\n', 'nobody:0x0', '/etc/passwd', '٣', 'x'.repeat(600)])(
    '%j is none, for a container and for an exec',
    async (user) => {
      expect(await attempt(plain, 'id', { user })).toMatch(/find (user|group)/);
      const container = await room.start(plain);
      await expect(room.exec(container.id, ['id'], { user })).rejects.toMatchObject({ code: 'launch.user-unknown' });
      await room.engine.call('remove', container.id, { force: true });
    },
  );

  test('a name without a group, and nothing at all, are those of the image', async () => {
    for (const user of ['', 'root', 'root:', '0', '0:0', ':']) {
      expect((await room.run(plain, 'id -u', { user })).stdout).toBe('0\n');
    }
    expect((await room.run(plain, 'id -u; id -g', { user: 'nobody' })).stdout).toBe('65534\n65534\n');
  });

  test.each<[string, TarEntry]>([
    ['a symlink to the host', { ...link('etc/passwd', 'OUTSIDE/passwd') }],
    ['a symlink that climbs', { ...link('etc/passwd', `${climb}OUTSIDE/passwd`) }],
    ['a symlink to a descriptor', link('etc/passwd', '/proc/self/fd/0')],
    ['a fifo', { name: 'etc/passwd', type: '6' }],
    ['an endless device', { name: 'etc/passwd', type: '3', device: [1, 5] }],
    ['a directory', { name: 'etc/passwd/', type: '5' }],
    ['two megabytes', { name: 'etc/passwd', content: 'a:b\n'.repeat(500_000) }],
    ['one endless line', { name: 'etc/passwd', content: 'intruder:'.repeat(200_000) }],
    [
      'lines that are no entries',
      { name: 'etc/passwd', content: 'intruder:x:0x0:0::/:\nintruder:x:-1:0::\nintruder\n' },
    ],
  ])('/etc/passwd is %s: the user is unknown or the file refused, at once', async (_what, entry) => {
    const image = await room.image(
      entry.link === undefined ? entry : { ...entry, link: entry.link.replace('OUTSIDE', outside) },
    );
    for (const user of ['intruder', '']) {
      const outcome = await attempt(image, 'id -u', { user });
      const text = typeof outcome === 'string' ? outcome : `id ${user}${outcome.stdout}`;
      expect(text).toMatch(/find user|etc\/passwd|^id 0\n$/);
    }
  });

  test('a group file is held to the same', async () => {
    for (const entry of [{ name: 'etc/group', type: '6' }, link('etc/group', '/dev/zero')]) {
      expect(await attempt(await room.image(entry), 'id', { user: 'nobody:intruder' })).toMatch(/etc\/group/);
    }
  });
});

test('CVE-2025-31133, 2025-52565: what an image has in /dev serves neither as mask nor as console', async () => {
  const image = await room.image(
    { name: 'dev/null', content: 'not the null device' },
    link('dev/console', join(outside, 'console')),
    link('dev/pts', outside),
    link('dev/ptmx', join(outside, 'secret')),
  );
  const { stdout } = await room.run(
    image,
    'stat -c %t:%T /dev/null /proc/keys; stat -c %t /dev/console; tty; ls -1 /dev/pts',
    {
      terminal: true,
    },
  );
  expect(stdout.replaceAll('\r', '')).toBe('1:3\n1:3\n88\n/dev/pts/0\n0\nptmx\n');
});

test('a program that the image names by a path of the host is not run from there', async () => {
  const { id } = await room.create(plain, [join(outside, 'secret')]);
  await expect(room.engine.call('start', id)).rejects.toMatchObject({ code: 'launch.command-not-found' });
});

test.each(['SIGNONSENSE', 'RTMAX+900', '0', '-9', '9999'])(
  'a stop signal of %s makes no container unstoppable',
  async (stopSignal) => {
    const container = await room.start(plain, { stopSignal });
    await expect(room.engine.call('stop', container.id, { timeoutMs: 50 })).resolves.not.toThrow();
    expect(await room.engine.call('find', container.id)).toMatchObject({ state: 'exited' });
    const killed = await room.start(plain, { stopSignal });
    await room.engine.call('kill', killed.id, 'KILL');
    await room.engine.call('wait', killed.id);
    for (const { id } of [container, killed]) await room.engine.call('remove', id, { force: true });
  },
);

describe('CVE-2019-5736: a container that runs the launcher itself', () => {
  test('finds a sealed copy, and cannot get at it for writing', async () => {
    const { id } = await room.create(plain, ['/proc/self/exe', 'check'], { stdin: true });
    await room.engine.call('start', id);
    const { stdout } = await room.exec(id, ['probe', 'overwrite', '/proc/1/exe']);
    const results = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ', 2) as [string, string]),
    );
    expect(results.get('target')).not.toMatch(/build|bin/);
    for (const way of ['open-write', 'open-truncate', 'open-both', 'truncate', 'map']) {
      expect({ way, errno: results.get(way) }).not.toEqual({ way, errno: '0' });
    }
    expect(results.get('sealed')).toBe('1');
    await room.engine.call('remove', id, { force: true });
    expect((await room.run(plain, 'echo works')).stdout).toBe('works\n');
  });

  test('as interpreter of a script it is the sealed copy too', async () => {
    const image = await room.image({ name: 'bin/evil', mode: 0o755, content: '#!/proc/self/exe\n' });
    const { id } = await room.create(image, ['/bin/evil']);
    await room.engine.call('start', id).catch(() => undefined);
    expect(await room.engine.call('wait', id)).not.toBe(0);
  });

  test('sees no process of the host', async () => {
    const { stdout } = await room.run(plain, 'ls /proc | grep "^[0-9]"; true');
    expect(
      stdout
        .trim()
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 10),
    ).toEqual([]);
  });
});

test('none of this reached the directory of the host', () => {
  expect(readdirSync(outside).toSorted()).toEqual(['passwd', 'secret']);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('of the host\n');
});
