import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectNoResidue, snapshotResidue, type Residue } from '../support/residue.ts';
import { ScratchTree } from './scratch-tree.ts';
import { verdictOf } from './verdict.ts';
import type { Weakening } from './weakening.ts';
import { weakenings } from './weakenings.ts';

/**
 * Tests the tests of test/security: a defence is taken out, and the test that stands for it must go red, by an assertion of
 * its own. BERTH_WEAKENING (names, separated by commas) picks some.
 */
const picked = process.env['BERTH_WEAKENING']?.split(',');
const chosen = weakenings.filter(({ name }) => picked?.includes(name) ?? true);

let tree: ScratchTree;
let before: Residue;
/** Where a build that does not confine paths would write on the machine. */
const openPlaces = ['/', '/dev', '/etc'];
let names: readonly string[];
/** The tests that were seen green, so that each is run unweakened but once. */
const green = new Set<string>();

const listed = async (): Promise<readonly string[]> =>
  (await Promise.all(openPlaces.map(async (place) => (await readdir(place)).map((name) => `${place} ${name}`)))).flat();

beforeAll(async () => {
  before = await snapshotResidue();
  names = await listed();
  tree = await ScratchTree.create();
});
afterAll(async () => {
  await tree[Symbol.asyncDispose]();
  await expectNoResidue(before, { within: [basename(tree.directory)] });
});

async function expectGreen(attack: Weakening['test']): Promise<void> {
  const key = JSON.stringify(attack);
  if (green.has(key)) return;
  const { passed, assertions, crashes } = verdictOf(await tree.run(attack));
  expect([...assertions, ...crashes], 'unweakened').toEqual([]);
  expect(passed, `tests of ${attack.file} named "${attack.name}"`).toBeGreaterThan(0);
  green.add(key);
}

test('the names of weakenings are of one weakening each, and those picked are there', () => {
  const all = weakenings.map(({ name }) => name);
  expect(new Set(all).size).toBe(all.length);
  expect(chosen.length).toBe(picked?.length ?? all.length);
});

test.each(chosen.map((one) => [one.name, one] as const))('%s', async (_name, one) => {
  await expectGreen(one.test);
  try {
    await tree.weaken(one);
    const { passed, assertions, crashes } = verdictOf(await tree.run(one.test));
    const told = assertions.join('\n');
    expect(told, `without "${one.without}" the test stays green (${passed} passed)\n${crashes.join('\n')}`).not.toBe(
      '',
    );
    expect(told).toMatch(one.sees);
  } finally {
    await tree.restore();
  }
  expect(await listed()).toEqual(names);
});
