import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EngineRoom } from './engine-room.ts';

let room: EngineRoom;
let outside: string;
let imageId: string;

beforeAll(async () => {
  outside = await mkdtemp(join(tmpdir(), 'berth-outside-'));
  await writeFile(join(outside, 'file'), 'of the host\n');
  room = await EngineRoom.open();
  const link = (name: string, target: string) => ({ name, type: '2', link: target });
  imageId = await room.image(
    { name: `${outside.slice(1)}/`, type: '5' }, // so that the links lead somewhere in the container, too
    link('out', `../../../../../../../..${outside}`),
    link('absolute', outside),
    link('kernel', '/sys/kernel'),
    link('attributes', '/proc/self/attr'),
    link('processes', '/proc'),
  );
});
afterAll(async () => {
  await room[Symbol.asyncDispose]();
  await rm(outside, { recursive: true });
});

const kinds = ['bind', 'volume', 'tmpfs'] as const;

/** A mount of each kind, whose content is harmless. */
function mountOf(kind: (typeof kinds)[number], destination: string): object {
  if (kind === 'bind') return { kind, source: '/etc/hostname', destination };
  return kind === 'volume' ? { kind, name: 'plain', destination } : { kind, destination };
}

test.each(kinds.flatMap((kind) => ['/out/new', '/absolute/new', '/../../out/deep/er'].map((path) => [kind, path])))(
  'CVE-2021-30465: a %s on %s, through a link of the image or "..", stays in the container',
  async (kind, destination) => {
    const before = await readdir(outside);
    const mounts = [mountOf(kind as (typeof kinds)[number], destination)];
    const { stdout } = await room.run(imageId, `grep -c ' ${outside}/' /proc/mounts`, { mounts });
    expect(stdout).toBe('1\n'); // made at the same path, but beneath the container's root
    expect(await readdir(outside)).toEqual(before);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(outside);
  },
);

test.each(
  kinds.flatMap((kind) =>
    ['/proc', '/proc/self/attr', '/sys', '/sys/kernel', '/kernel', '/attributes', '/processes/acpi'].map((path) => [
      kind,
      path,
    ]),
  ),
)('CVE-2019-16884, CVE-2023-28642: a %s on %s, where masks are, is refused', async (kind, destination) => {
  const source = outside;
  const mount = kind === 'bind' ? { kind, source, destination } : mountOf(kind as (typeof kinds)[number], destination);
  await expect(room.run(imageId, 'true', { mounts: [mount] })).rejects.toThrow(
    /cannot be mounted because it is|mount beneath \/proc or \/sys/,
  );
});

test('CVE-2021-30465: a target that is swapped for a link meanwhile leads nowhere', async () => {
  const swap = `mkdir -p /v/a; while :; do rm -rf /v/a; ln -s ${outside} /v/a; rm -f /v/a; mkdir /v/a; done`;
  const { id } = await room.create(imageId, ['sh', '-c', swap], {
    mounts: [{ kind: 'volume', name: 'raced', destination: '/v' }],
  });
  await room.engine.call('start', id);
  try {
    const before = await readdir(outside);
    const mounts = [
      { kind: 'volume', name: 'raced', destination: '/v' },
      { kind: 'tmpfs', destination: '/v/a/inside' },
      { kind: 'bind', source: '/etc/hostname', destination: '/v/a/name' },
    ];
    const refused: string[] = [];
    // At least once it must be the mounts that win.
    let round = 0;
    for (; round < 25 || refused.length === round; round += 1) {
      // Either it is mounted in the container, or the launch fails because the target went away.
      await room.run(imageId, 'true', { mounts }).catch((error: unknown) => refused.push(String(error)));
      expect(await readdir(outside)).toEqual(before);
    }
    expect(refused.filter((text) => !/mount|open/.test(text))).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(outside);
  } finally {
    await room.engine.call('remove', id, { force: true });
  }
});

test('a part of a volume is looked for beneath the volume, whatever links are in it', async () => {
  const content = join(room.dataRoot, 'volumes', 'parts', '_data');
  await room.engine.call('createVolume', { name: 'parts', labels: null, options: null });
  await mkdir(join(content, 'inner'));
  await writeFile(join(content, 'inner', 'own'), 'own\n');
  await symlink(outside, join(content, 'absolute'));
  await symlink(`../../../../../../..${outside}`, join(content, 'relative'));
  await symlink('/inner', join(content, 'within'));
  const part = (subpath: string) => ({
    mounts: [{ kind: 'volume', name: 'parts', destination: '/part', subpath }],
  });
  for (const subpath of ['absolute', 'relative', 'nothing']) {
    await expect(room.run(imageId, 'ls /part', part(subpath))).rejects.toThrow(/open path beneath bind source/);
  }
  expect(await room.run(imageId, 'cat /part/own', part('inner'))).toMatchObject({ stdout: 'own\n' });
  expect(await room.run(imageId, 'cat /part/own', part('within'))).toMatchObject({ stdout: 'own\n' });
  // `..` at the top of the volume is the volume itself.
  expect((await room.run(imageId, 'ls /part', part('../../..'))).stdout).toContain('inner\n');
});

test('what is read-only is so with all that is mounted below it', async () => {
  const bind = { kind: 'bind', source: '/', destination: '/host', readonly: true };
  const script = 'touch /host/x /host/dev/x /host/dev/shm/x; true';
  const { stderr } = await room.run(imageId, script, { mounts: [bind] });
  expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
  const top = { ...bind, readonlyRecursive: false };
  const { stderr: less } = await room.run(imageId, script.replaceAll('touch', 'touch -c'), { mounts: [top] });
  expect(less).not.toContain('/host/dev/');
});

test('a mount of the container is not seen on the host, and no descriptor of the host is open in it', async () => {
  const mounts = [{ kind: 'bind', source: outside, destination: '/out2' }];
  const { stdout } = await room.run(imageId, 'ls -l /proc/self/fd /proc/1/fd | grep -E "mnt:|/ns/" ; echo end', {
    mounts,
  });
  expect(stdout).toBe('end\n');
});
