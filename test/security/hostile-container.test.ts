import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineRoom } from './engine-room.ts';

let room: EngineRoom;
let imageId: string;
beforeAll(async () => {
  room = await EngineRoom.open();
  imageId = await room.image();
});
afterAll(() => room[Symbol.asyncDispose]());

/** A container whose first process did `prepare` and now does `then`. */
async function hostile(prepare: string, then = 'exec sleep 1000'): Promise<string> {
  const { id } = await room.create(imageId, ['sh', '-c', `${prepare}; echo ready; ${then}`]);
  await room.engine.call('start', id);
  await expect.poll(() => room.engine.call('logs', id, { follow: false })).not.toEqual([]);
  return id;
}

/** The output of an exec, or the text of its refusal; `hangs` when there is neither in a minute. */
async function outcome(id: string, args: readonly string[], options: object = {}): Promise<string> {
  const done = new AbortController();
  try {
    return await Promise.race([
      room.exec(id, args, options).then(JSON.stringify, (error: unknown) => String(error)),
      delay(60_000, 'hangs', { signal: done.signal }),
    ]);
  } finally {
    done.abort();
  }
}

async function remove(id: string): Promise<void> {
  await room.engine.call('remove', id, { force: true });
}

test.each([
  ['a fifo', 'mkfifo /dev/null'],
  ['a link to a fifo', 'mkfifo /tmp/f; ln -s /tmp/f /dev/null'],
  ['a disk', 'mknod /dev/null b 254 0'],
  ['a file', 'cp /bin/busybox /dev/null'],
  ['a link to itself', 'ln -s null /dev/null'],
  ['not there', 'true'],
])('an exec in a container whose /dev/null is %s is refused, and does not hang', async (_what, make) => {
  const id = await hostile(`rm /dev/null; ${make}`);
  expect(await outcome(id, ['true'])).toMatch(/open standard input \/dev\/null: E[A-Z]+/);
  await remove(id);
});

test.each(['mkfifo /etc/passwd', 'ln -s /dev/zero /etc/passwd', 'mknod /etc/passwd c 1 5', 'mkdir /etc/passwd'])(
  'an exec by name after "%s" is refused, and does not hang',
  async (make) => {
    const id = await hostile(`rm /etc/passwd; ${make}`);
    expect(await outcome(id, ['id'], { user: 'nobody' })).toMatch(/etc\/passwd/);
    await remove(id);
  },
);

test('CVE-2024-21626: a working directory that is exchanged all the time is inside, or refused', async () => {
  const swap = 'while :; do rm -f /a/w; ln -s /proc/self/fd/7 /a/w; rm /a/w; ln -s ../../../.. /a/w; done';
  const id = await hostile('mkdir /a', swap);
  const inside = await outcome(id, ['ls', '/']);
  for (let round = 0; round < 60; round += 1) {
    const text = await outcome(id, ['ls'], { cwd: round % 2 === 0 ? '/a/w' : '/a/w/..' });
    const allowed = text === inside || text.includes('"stdout":"a\\n') || text.includes('"stdout":"w\\n');
    expect(allowed || /open working directory|verify that it is inside|"stdout":""/.test(text) ? '' : text).toBe('');
  }
  await remove(id);
});

test('CVE-2019-5736: the launcher that an exec runs in the container cannot be written while, or after, it runs', async () => {
  const watch = `while :; do for p in /proc/[0-9]*; do
    case "$(readlink $p/exe)" in *memfd*) probe overwrite $p/exe;; esac; done; done`;
  const id = await hostile('true', watch);
  // They read a standard input that never ends, until the container is removed.
  const running = Array.from({ length: 3 }, () => outcome(id, ['/proc/self/exe', 'check'], { stdin: true }));
  const lines = async () => (await room.engine.call('logs', id, { follow: false })).map(({ text }) => text.trim());
  await expect.poll(lines).toContain('sealed 1');
  const seen = await lines();
  const written = seen.filter((line) => /^(open-write|open-truncate|open-both|truncate|map) 0$/.test(line));
  expect(written).toEqual([]);
  expect(seen.filter((line) => line === 'sealed 0')).toEqual([]);
  await remove(id);
  await Promise.all(running);
  expect((await room.run(imageId, 'echo works')).stdout).toBe('works\n');
});

test('processes that an exec left behind go with the container', async () => {
  const id = await hostile('true');
  const left = (seconds: string) => `setsid sh -c "trap : TERM; sleep ${seconds}" >/dev/null 2>&1 &`;
  await outcome(id, ['sh', '-c', `${left('471147')} ${left('471148')}`]);
  const alive = () =>
    readdirSync('/proc').filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const [program, cgroup] = ['cmdline', 'cgroup'].map((file) => readFileSync(`/proc/${name}/${file}`, 'utf8'));
        return program?.startsWith('sleep\x0047114') === true && cgroup?.includes(id) === true;
      } catch {
        return false; // it has ended meanwhile
      }
    });
  await expect.poll(() => alive().length).toBe(2);
  await remove(id);
  expect(alive()).toEqual([]);
});
