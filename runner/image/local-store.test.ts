import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { configOf, dockerArchive, ociArchive, ociLayoutEntries, sha256Of } from '../../test/support/image.ts';
import type { TestImage } from '../../test/support/image.ts';
import { openTestImageStore } from '../../test/support/image-store.ts';
import { tar } from '../../test/support/tar.ts';
import type { TarEntry } from '../../test/support/tar.ts';
import { unpackBinary } from '../../test/support/unpack-binary.ts';
import { defaultLayerLimits } from './limits.ts';
import { createImageStore } from './local-store.ts';
import { hostArchitecture } from './platform.ts';

const base = tar([
  { name: 'etc/', type: '5' },
  { name: 'etc/os-release', content: 'ID=base\n' },
]);
const top = tar([{ name: 'app', mode: 0o4755, content: 'x'.repeat(70_000) }]);
const hello: TestImage = { reference: 'hello:1', layers: [base, top], config: { Cmd: ['/app'], Env: ['A=b'] } };
const other: TestImage = { reference: 'registry:5000/other', layers: [base] };

function stream(bytes: Uint8Array, chunkBytes = 10_000): Readable {
  return Readable.from(
    Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, index) =>
      bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes),
    ),
  );
}

function hexOf(layer: Buffer): string {
  return sha256Of(layer).slice(7);
}

beforeAll(() => void unpackBinary());

describe('load', () => {
  test.each([
    ['docker-archive', dockerArchive([hello])],
    ['docker-archive, gzip', gzipSync(dockerArchive([hello]))],
    ['docker-archive, zstd', zstdCompressSync(dockerArchive([hello]))],
    ['OCI archive of plain layers', ociArchive([hello], 'none')],
    ['OCI archive of gzip layers', ociArchive([hello], 'gzip')],
    ['OCI archive of zstd layers', ociArchive([hello], 'zstd')],
    ['OCI archive, gzip outside too', gzipSync(ociArchive([hello]))],
  ])('%s', async (_kind, archive) => {
    await using images = await openTestImageStore();
    const progress: string[] = [];
    const [record] = await images.store.load(stream(archive), { onProgress: (message) => progress.push(message) });
    expect(record).toMatchObject({
      id: sha256Of(configOf(hello)),
      references: ['docker.io/library/hello:1'],
      config: { config: { Cmd: ['/app'], Env: ['A=b'] }, architecture: hostArchitecture },
      sizeBytes: 70_008,
      createdAtMs: Date.parse('2026-01-01T00:00:00Z'),
    });
    const [lowest = '', highest = ''] = record?.layerDirectories ?? [];
    expect(readFileSync(join(lowest, 'etc/os-release'), 'utf8')).toBe('ID=base\n');
    expect(statSync(join(highest, 'app'))).toMatchObject({ mode: 0o104755, size: 70_000 });
    expect(await images.files()).toEqual({ layers: [hexOf(base), hexOf(top)].toSorted(), tmp: [] });
    expect(progress.at(-1)).toMatch(/^layer 2 of 2: sha256:/);
  });

  test('a bare rootfs needs a reference and becomes an image of one layer', async () => {
    await using images = await openTestImageStore();
    await expect(images.store.load(stream(base), {})).rejects.toMatchObject({
      code: 'image.archive-unknown',
      message: expect.stringContaining('found a tar without manifest.json or oci-layout (it holds etc)') as string,
      remedy: 'If it is a root file system, give the image a reference.',
    });
    const [record] = await images.store.load(stream(gzipSync(base)), { reference: 'mine' });
    expect(record?.references).toEqual(['docker.io/library/mine:latest']);
    expect(record?.config.rootfs.diff_ids).toEqual([sha256Of(base)]);
    const [again] = await images.store.load(stream(base), { reference: 'mine:2' });
    expect(again?.id).toBe(record?.id);
    expect(again?.references).toEqual(['docker.io/library/mine:2', 'docker.io/library/mine:latest']);
    expect(await images.files()).toEqual({ layers: [hexOf(base)], tmp: [] });
  });

  test('several images in one archive share a layer; a reference would be ambiguous', async () => {
    await using images = await openTestImageStore();
    await expect(images.store.load(stream(dockerArchive([hello, other])), { reference: 'x' })).rejects.toMatchObject({
      code: 'image.reference-ambiguous',
    });
    expect(await images.files()).toEqual({ layers: [], tmp: [] });
    await images.store.load(stream(dockerArchive([hello, other])), {});
    expect(images.store.list().flatMap((image) => image.references)).toEqual(
      expect.arrayContaining(['docker.io/library/hello:1', 'registry:5000/other:latest']),
    );
    expect((await images.files()).layers).toHaveLength(2);
  });

  test('a reference overrides the name of a single image', async () => {
    await using images = await openTestImageStore();
    const [record] = await images.store.load(stream(ociArchive([hello])), { reference: 'renamed:2' });
    expect(record?.references).toEqual(['docker.io/library/renamed:2']);
    expect(images.store.find('hello:1')).toBeUndefined();
  });

  test('legacy links between layers are followed inside the archive only', async () => {
    await using images = await openTestImageStore();
    const manifest = (layer: string): TarEntry => ({
      name: 'manifest.json',
      content: JSON.stringify([{ Config: 'c.json', RepoTags: ['links:1'], Layers: [layer] }]),
    });
    const config: TarEntry = { name: 'c.json', content: configOf({ ...other, reference: 'links:1' }) };
    const good = tar([
      config,
      { name: 'a/layer.tar', content: base },
      { name: 'b/layer.tar', type: '2', link: '../a/layer.tar' },
      manifest('b/layer.tar'),
    ]);
    await images.store.load(stream(good), {});
    for (const link of ['/etc/passwd', '../../../../../../../../etc/passwd']) {
      const bad = tar([config, { name: 'b/layer.tar', type: '2', link }, manifest('b/layer.tar')]);
      await expect(images.store.load(stream(bad), {})).rejects.toMatchObject({
        code: 'image.archive-corrupt',
        message: 'load image: manifest.json lists layer b/layer.tar, which the archive does not have',
      });
    }
    const stolen = tar([{ name: 'manifest.json', type: '2', link: '/etc/passwd' }, config]);
    await expect(images.store.load(stream(stolen), {})).rejects.toMatchObject({ code: 'image.archive-unknown' });
  });

  test('an index of many platforms gives the one for this host, attestations aside', async () => {
    await using images = await openTestImageStore();
    const foreign: TestImage = { reference: 'multi:1', layers: [top], architecture: 's390x' };
    const entries = ociLayoutEntries([foreign, { ...hello, reference: 'multi:1' }]);
    const [record] = await images.store.load(stream(tar(entries)), {});
    expect(record?.config.architecture).toBe(hostArchitecture);
    expect(images.store.list()).toHaveLength(1);
  });

  test('an opaque root leaves the layers below it out', async () => {
    await using images = await openTestImageStore();
    const opaque = tar([{ name: '.wh..wh..opq' }, { name: 'only', content: '1' }]);
    const [record] = await images.store.load(
      stream(dockerArchive([{ reference: 'o:1', layers: [base, opaque, top] }])),
      {},
    );
    expect(record?.layerDirectories.map((path) => path.split('/').at(-2))).toEqual([hexOf(opaque), hexOf(top)]);
  });
});

/** An OCI archive in which one byte of one blob was changed, the last one or that at `at`. */
function withDamagedBlob(digest: string, at = -1): Buffer {
  return tar(
    ociLayoutEntries([hello]).map((entry) => {
      if (!entry.name.endsWith(digest.slice(7))) return entry;
      const content = Buffer.from(entry.content ?? '');
      content[at < 0 ? content.length + at : at] = (content.at(at) ?? 0) ^ 1;
      return { ...entry, content };
    }),
  );
}

function found(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

describe('what is refused leaves nothing behind', () => {
  async function refused(archive: Uint8Array): Promise<Error> {
    await using images = await openTestImageStore();
    const error: unknown = await images.store.load(stream(archive), {}).catch((thrown: unknown) => thrown);
    expect(images.store.list()).toEqual([]);
    expect(await images.files()).toEqual({ layers: [], tmp: [] });
    if (!(error instanceof Error)) throw new Error('it was not refused');
    return error;
  }

  test('a config whose digest does not hold', async () => {
    const digest = sha256Of(configOf(hello));
    const damaged = configOf(hello);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    expect(await refused(withDamagedBlob(digest))).toMatchObject({
      code: 'image.archive-corrupt',
      message: `load image: blob ${digest}: expected ${digest}, found ${found(damaged)}`,
    });
  });

  test('a layer whose digest does not hold', async () => {
    const blob = gzipSync(top, { level: 1 });
    const digest = sha256Of(blob);
    expect(await refused(withDamagedBlob(digest))).toMatchObject({
      code: 'image.archive-corrupt',
      message: expect.stringContaining(digest) as string,
    });
  });

  test('a layer that is another blob with the right content, whether it is unpacked or there already', async () => {
    const digest = sha256Of(gzipSync(top, { level: 1 }));
    const archive = withDamagedBlob(digest, 4); // the time in gzip's header (RFC 1952)
    const error = {
      code: 'image.archive-corrupt',
      message: expect.stringContaining(`expected ${digest}, found`) as string,
    };
    expect(await refused(archive)).toMatchObject(error);
    await using images = await openTestImageStore();
    await images.store.load(stream(ociArchive([hello])), {});
    await expect(images.store.load(stream(archive), {})).rejects.toMatchObject(error);
  });

  test('a layer whose length does not hold', async () => {
    const digest = sha256Of(gzipSync(top, { level: 1 }));
    const cut = ociLayoutEntries([hello]).map((entry) =>
      entry.name.endsWith(digest.slice(7))
        ? { ...entry, content: Buffer.from(entry.content ?? '').subarray(1) }
        : entry,
    );
    expect((await refused(tar(cut))).message).toMatch(/blob sha256:\w+: expected \d+ bytes, found \d+/);
  });

  test('a docker-archive whose layer is not what its config says', async () => {
    const lying: TestImage = { ...hello, layers: [base, top] };
    const archive = dockerArchive([lying]);
    const at = archive.indexOf('xxxx');
    archive[at] = 0x79;
    expect((await refused(archive)).message).toMatch(
      /^load image: layer .*: expected diffID sha256:\w+, found sha256:\w+$/,
    );
  });

  test('another architecture, naming both', async () => {
    const foreign: TestImage = { ...hello, architecture: 's390x' };
    for (const archive of [dockerArchive([foreign]), ociArchive([foreign])]) {
      expect(await refused(archive)).toMatchObject({
        code: 'image.wrong-platform',
        message: `load image docker.io/library/hello:1: it is for linux/s390x, this host is linux/${hostArchitecture}`,
      });
    }
  });

  test.each([
    ['an empty stream', Buffer.alloc(0)],
    ['text', Buffer.from('hello, I am no image\n'.repeat(100))],
    ['a zip archive', Buffer.from('PK\x03\x04' + 'x'.repeat(2000))],
    ['gzip data', gzipSync('no tar in here'.repeat(100))],
    ['data of no known format', Buffer.alloc(3000, 0xa5)],
  ])('%s, saying what it is and what is accepted', async (kind, bytes) => {
    expect(await refused(bytes)).toMatchObject({
      code: 'image.archive-unknown',
      message: `load image: found ${kind}; accepted are a docker-archive, an OCI image layout in a tar, or a rootfs tar, each plain, gzip or zstd`,
    });
  });

  test('an archive that ends early', async () => {
    for (const archive of [
      dockerArchive([hello]).subarray(0, 40_000),
      gzipSync(ociArchive([hello])).subarray(0, 900),
    ]) {
      expect(await refused(archive)).toMatchObject({ code: 'image.archive-corrupt' });
    }
  });

  test('a stream that fails, with its own error', async () => {
    await using images = await openTestImageStore();
    const failing = Readable.from(
      (async function* () {
        yield dockerArchive([hello]).subarray(0, 30_000);
        throw new Error('the client went away');
      })(),
    );
    await expect(images.store.load(failing, {})).rejects.toThrow('the client went away');
    expect(await images.files()).toEqual({ layers: [], tmp: [] });
  });

  test.each([0, 100, 30_000])('a load that is aborted while it waits for more after %d bytes', async (length) => {
    await using images = await openTestImageStore();
    const controller = new AbortController();
    const stalled = new Readable({ read: () => undefined });
    if (length > 0) stalled.push(dockerArchive([hello]).subarray(0, length));
    const loading = images.store.load(stalled, { signal: controller.signal });
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(loading).rejects.toThrow('enough');
    expect(await images.files()).toEqual({ layers: [], tmp: [] });
  });

  test('a layer beyond the limits', async () => {
    await using images = await openTestImageStore({ ...defaultLayerLimits, contentBytes: 100_000 });
    const big = tar([{ name: 'big', content: Buffer.alloc(200_000) }]);
    await expect(images.store.load(stream(big), { reference: 'big' })).rejects.toMatchObject({
      code: 'image.layer-too-large',
    });
    expect(await images.files()).toEqual({ layers: [], tmp: [] });
  });
});

describe('find and remove', () => {
  test('by short name, ID, and a prefix that only one has', async () => {
    await using images = await openTestImageStore();
    await images.store.load(stream(dockerArchive([hello, other])), {});
    const id = sha256Of(configOf(hello));
    for (const text of ['hello:1', 'docker.io/library/hello:1', id, id.slice(7), id.slice(7, 19), id.slice(0, 19)]) {
      expect(images.store.find(text)?.id).toBe(id);
    }
    for (const text of ['hello', 'hello:2', 'sha256:', '', '%', 'Hello:1', 'f'.repeat(64)]) {
      expect(images.store.find(text)).toBeUndefined();
    }
  });

  test('layers go with the last image that has them; listeners hear of each change', async () => {
    await using images = await openTestImageStore();
    let changes = 0;
    const listening = images.store.onChange(() => (changes += 1));
    await images.store.load(stream(dockerArchive([hello, other])), {});
    await images.store.remove('hello:1');
    expect(await images.files()).toEqual({ layers: [hexOf(base)], tmp: [] });
    await images.store.remove(sha256Of(configOf(other)));
    expect(await images.files()).toEqual({ layers: [], tmp: [] });
    expect(changes).toBe(3);
    listening[Symbol.dispose]();
    await expect(images.store.remove('hello:1')).rejects.toMatchObject({ code: 'image.unknown' });
  });

  test('an image that is used is not removed; one of its names may be', async () => {
    await using images = await openTestImageStore();
    await images.store.load(stream(ociArchive([hello])), {});
    await images.store.load(stream(ociArchive([hello])), { reference: 'hello:2' });
    const id = sha256Of(configOf(hello));
    const guard = images.store.guard((asked) => (asked === id ? 'running container 0123456789ab (web)' : undefined));
    await images.store.remove('hello:1');
    for (const name of ['hello:2', id]) {
      await expect(images.store.remove(name)).rejects.toMatchObject({
        code: 'image.in-use',
        message: `conflict: unable to remove image ${name}: image is being used by running container 0123456789ab (web)`,
      });
    }
    expect(images.store.find('hello:2')?.layerDirectories.every((path) => existsSync(path))).toBe(true);
    guard[Symbol.dispose]();
    await images.store.remove('hello:2');
    expect(images.store.list()).toEqual([]);
  });

  test('one of two names goes alone', async () => {
    await using images = await openTestImageStore();
    await images.store.load(stream(ociArchive([hello])), {});
    await images.store.load(stream(ociArchive([hello])), { reference: 'hello:2' });
    await images.store.remove('hello:1');
    expect(images.store.find('hello:2')?.references).toEqual(['docker.io/library/hello:2']);
  });

  test('a name moves to the newer image', async () => {
    await using images = await openTestImageStore();
    await images.store.load(stream(dockerArchive([hello])), {});
    const newer: TestImage = { ...other, reference: 'hello:1' };
    await images.store.load(stream(dockerArchive([newer])), {});
    expect(images.store.find('hello:1')?.id).toBe(sha256Of(configOf(newer)));
    expect(images.store.find(sha256Of(configOf(hello)))?.references).toEqual([]);
  });

  test('everything is there after a restart, and strays are swept', async () => {
    await using images = await openTestImageStore();
    await images.store.load(stream(dockerArchive([hello])), {});
    const before = images.store.list();
    images.database.exec("delete from image_references; delete from images where id = 'none'");
    await using again = await images.reopen();
    expect(again.store.list().map((image) => image.id)).toEqual(before.map((image) => image.id));
    expect(before[0]?.layerDirectories.every((path) => existsSync(path))).toBe(true);
  });
});

test('loads of the same and of overlapping images at once, with removals between', async () => {
  await using images = await openTestImageStore();
  const archives = [dockerArchive([hello]), ociArchive([hello]), ociArchive([hello], 'zstd'), dockerArchive([other])];
  const loads = Array.from({ length: 16 }, (_, index) => images.store.load(stream(archives[index % 4] ?? base), {}));
  const removals = loads.slice(0, 8).map(async (load) => {
    const [record] = await load;
    await images.store.remove(record?.id ?? '').catch(() => undefined); // another one may have removed it
  });
  await Promise.all([...loads, ...removals]);
  const directories = images.store.list().flatMap((image) => image.layerDirectories);
  expect(directories.filter((path) => !existsSync(path))).toEqual([]);
  expect((await images.files()).tmp).toEqual([]);
});

describe('power loss', () => {
  /** A store whose unpacker, when asked to sync, first runs these lines of shell; `$2` is the directory. */
  async function openWith(script: string) {
    await using images = await openTestImageStore();
    const unpacker = join(images.root, 'unpack.sh');
    const text = `#!/bin/sh\n[ "$1" = sync ] && {\n${script}\n}\nexec ${unpackBinary()} "$@"\n`;
    await writeFile(unpacker, text, { mode: 0o755 });
    const { database } = images;
    const directory = join(images.root, 'images');
    const store = await createImageStore({ database, directory, unpackBinary: unpacker });
    const failure: unknown = await store.load(stream(dockerArchive([hello])), {}).catch((error: unknown) => error);
    const seen = await readFile(join(images.root, 'seen'), 'utf8').catch(() => '');
    return { failure, seen, listed: store.list().length, files: await images.files() };
  }

  test('one sync a load, after the layers are in their place and before the rows', async () => {
    // The database's only table that grows by a load is read as text: its reference must not be in the file or its log.
    const { seen, listed } = await openWith(
      'root=${2%/images/*}; /bin/ls $root/images/layers >> $root/seen; /bin/grep -c library/hello $root/runner.db* >> $root/seen',
    );
    const counts = seen.split('\n').filter((line) => line.includes('runner.db'));
    expect(seen.split('\n').slice(0, 2)).toEqual([hexOf(base), hexOf(top)].toSorted());
    expect(counts.length).toBeGreaterThan(0);
    expect(counts.every((line) => line.endsWith(':0'))).toBe(true);
    expect(listed).toBe(1);
  });

  test('a disk that fails then is an error, and nothing is stored', async () => {
    const { failure, listed, files } = await openWith('echo "sync $2: Input/output error" >&2; exit 1');
    expect(failure).toMatchObject({
      code: 'image.sync-failed',
      message: expect.stringContaining('Input/output error') as string,
    });
    expect(listed).toBe(0);
    expect(files).toEqual({ layers: [], tmp: [] });
  });
});
