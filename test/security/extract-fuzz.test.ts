import fc from 'fast-check';
import { readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { beforeAll, expect, test } from 'vitest';
import { extract } from '../support/extract.ts';
import { tar, tarEntry } from '../support/tar.ts';
import type { TarEntry } from '../support/tar.ts';
import { sanitizedUnpackBinary } from '../support/unpack-binary.ts';

let binary = '';
beforeAll(() => {
  binary = sanitizedUnpackBinary();
});

/** Small, so that a mutated size is refused and not written. */
const limits = { contentBytes: 2 ** 20, entries: 1000, depth: 32, ratio: 100 };

/**
 * The program must answer with a report, whatever it reads, and touch nothing beside its directory. A sanitizer's finding
 * ends it without a report, which `unpack` throws as image.unpack-failed.
 */
async function survives(layer: Uint8Array): Promise<boolean> {
  await using result = await extract(binary, layer, limits);
  return readdirSync(result.around).toSorted().join() === 'layer,tree';
}

/** Checks a property and says whether it held; its failure is thrown with the counterexample. */
async function holds<T extends unknown[]>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<boolean> {
  await fc.assert(property, { numRuns });
  return true;
}

const seed = tar([
  { name: './', type: '5' },
  { name: 'a/', type: '5', mtime: 1 },
  { name: 'a/file', content: 'x'.repeat(700), uid: 5 },
  { name: 'a/link', type: '2', link: '../..' },
  { name: 'a/hard', type: '1', link: 'a/file' },
  { name: 'null', type: '3', device: [1, 3] },
  { name: 'fifo', type: '6' },
  { name: `long/${'n'.repeat(150)}`, content: '1', pax: { mtime: '1.5', 'SCHILY.xattr.user.k': 'v' } },
  { name: 'a/.wh.x' },
  { name: 'a/.wh..wh..opq' },
]);

/** A header block's checksum made to hold again, so that mutations reach what lies behind it. */
function repairChecksum(bytes: Buffer, at: number): void {
  const block = bytes.subarray(at, at + 512);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

const mutation = fc.record({ at: fc.nat(seed.length - 1), byte: fc.nat(255) });

test('mutated headers whose checksums hold', async () => {
  const property = fc.asyncProperty(
    fc.array(mutation, { minLength: 1, maxLength: 6 }),
    fc.boolean(),
    async (mutations, compress) => {
      const bytes = Buffer.from(seed);
      for (const { at, byte } of mutations) {
        bytes[at] = byte;
        repairChecksum(bytes, at - (at % 512));
      }
      return survives(compress ? gzipSync(bytes, { level: 1 }) : bytes);
    },
  );
  expect(await holds(property, 200)).toBe(true);
});

test('mutated gzip streams', async () => {
  const gzip = gzipSync(seed);
  const property = fc.asyncProperty(
    fc.nat(gzip.length - 1),
    fc.nat(255),
    fc.nat(gzip.length),
    async (at, byte, length) => {
      const bytes = Buffer.from(gzip);
      bytes[at] = byte;
      return survives(bytes.subarray(0, length));
    },
  );
  expect(await holds(property, 80)).toBe(true);
});

const component = fc.constantFrom(
  'a',
  'b',
  '..',
  '.',
  '',
  '.wh.a',
  '.wh..',
  '.wh...',
  '.wh..wh..opq',
  'l',
  'n'.repeat(256),
);
const path = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const entry: fc.Arbitrary<TarEntry> = fc.record({
  name: path,
  type: fc.constantFrom('0', '1', '2', '3', '4', '5', '6', 'L', 'K', 'x', 'g', 'S'),
  link: path,
  content: fc.string({ maxLength: 40 }),
  mode: fc.nat(0o7777),
});

test('random trees of names that fight each other', async () => {
  const property = fc.asyncProperty(fc.array(entry, { maxLength: 12 }), async (entries) => {
    return survives(Buffer.concat([...entries.map(tarEntry), Buffer.alloc(1024)]));
  });
  expect(await holds(property, 150)).toBe(true);
});
