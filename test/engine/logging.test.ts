import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LogEntry } from '../../runner/container/engine.ts';
import { EngineStage } from './engine-stage.ts';

let stage: EngineStage;

beforeAll(async () => {
  stage = await EngineStage.open();
});
afterAll(() => stage[Symbol.asyncDispose]());

async function created(script: string, log: object | undefined, options: object = {}): Promise<string> {
  return (await stage.create(['/bin/sh', '-c', script], { log, ...options })).id;
}

const files = async (id: string) => (await readdir(join(stage.data, 'containers', id, 'state'))).toSorted();
const numbers = (entries: readonly LogEntry[]) => entries.map(({ text }) => Number(text.slice(5)));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const counting = (to: number) => `i=0; while [ $i -lt ${to} ]; do echo line $i; i=$((i+1)); done`;

test.each([
  ['json-file', { 'max-size': '40k', 'max-file': '500', compress: 'true' }],
  ['local', { 'max-size': '16k', 'max-file': '500' }],
])(
  '%s: a fast writer, tiny files: who follows gets each line once, in order; so does who comes later',
  async (driver, options) => {
    const total = 20_000;
    const id = await created(counting(total), { driver, options });
    await stage.engine.call('start', id);
    const following = await stage.engine.call('logs', id, { follow: true });
    expect(numbers(following)).toEqual(range(0, total));
    await expect
      .poll(async () => (await files(id)).filter((name) => /^container\.log\.\d+$/.test(name)), { timeout: 60_000 })
      .toEqual([]);
    expect((await files(id)).filter((name) => name.endsWith('.gz')).length).toBeGreaterThan(10);
    expect(numbers(await stage.engine.call('logs', id, { follow: false }))).toEqual(range(0, total));
    expect(numbers(await stage.engine.call('logs', id, { follow: false, tail: 12_345 }))).toEqual(
      range(total - 12_345, total),
    );
  },
);

test('only so many files are kept, compressed or not, and what the runner was not there for is compressed later', async () => {
  const options = { 'max-size': '20k', 'max-file': '4', compress: 'true' };
  const id = await created(`${counting(5000)}; exec sleep 1000`, { driver: 'json-file', options });
  await stage.engine.call('start', id);
  await expect
    .poll(async () => numbers(await stage.engine.call('logs', id, { follow: false, tail: 1 })), { timeout: 30_000 })
    .toEqual([4999]);
  const rotated = async () => (await files(id)).filter((name) => name.startsWith('container.log.'));
  // The three youngest, each in its compressed form.
  await expect.poll(rotated, { timeout: 30_000 }).toSatisfy((names: string[]) => {
    const found = names.map((name) => Number(/^container\.log\.(\d+)\.gz$/.exec(name)?.[1])).toSorted((a, b) => a - b);
    return found.length === 3 && found.every((number, at) => number === (found[0] ?? 0) + at && number > at);
  });
  const kept = numbers(await stage.engine.call('logs', id, { follow: false }));
  expect(kept).toEqual(range(kept[0] ?? 0, 5000));
});

test('attributes: labels and variables by name and pattern, and a tag, in each line', async () => {
  const options = {
    labels: 'tier,none',
    'labels-regex': '^x-',
    env: 'COLOUR',
    'env-regex': '^SIZE',
    tag: '{{.Name}}/{{.ID}}',
  };
  const id = await created(
    'echo hello',
    { driver: 'json-file', options },
    {
      labels: { tier: 'web', 'x-a': '1', other: 'no' },
      environment: ['COLOUR=blue', 'SIZE_X=4', 'SHAPE=round'],
    },
  );
  await stage.engine.call('start', id);
  await stage.engine.call('wait', id);
  const [entry] = await stage.engine.call('logs', id, { follow: false });
  const { config } = (await stage.engine.call('list')).find((record) => record.id === id) ?? {};
  expect(entry).toMatchObject({
    text: 'hello\n',
    attributes: { tier: 'web', 'x-a': '1', COLOUR: 'blue', SIZE_X: '4', tag: `${config?.name}/${id.slice(0, 12)}` },
  });
  expect(Object.keys(entry?.attributes ?? {})).toHaveLength(5);
});

test('local keeps the pieces of a long line, and which stream it was', async () => {
  const script = 'printf "%020000d" 7; echo; echo oops >&2; printf end';
  const id = await created(script, { driver: 'local', options: {} });
  await stage.engine.call('start', id);
  await stage.engine.call('wait', id);
  const entries = await stage.engine.call('logs', id, { follow: false });
  const text = (stream: string) => entries.filter((one) => one.stream === stream).map((one) => one.text);
  expect(text('stdout').join('')).toBe(`${'7'.padStart(20_000, '0')}\nend`);
  expect(text('stdout')[0]).toHaveLength(16_384);
  expect(text('stderr')).toEqual(['oops\n']);
  expect(entries[0]?.time).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
});

test('none keeps nothing, and says so', async () => {
  const id = await created('echo lost; exit 3', { driver: 'none', options: {} });
  await stage.engine.call('start', id);
  expect(await stage.engine.call('wait', id)).toBe(3);
  expect((await files(id)).filter((name) => name.startsWith('container.log'))).toEqual([]);
  await expect(stage.engine.call('logs', id, { follow: false })).rejects.toThrow(
    'configured logging driver does not support reading',
  );
});

test.each([
  [{ 'max-file': '0' }, 'max-file cannot be less than 1'],
  [{ compress: 'true' }, 'compress cannot be true when max-file is less than 2 or max-size is not set'],
  [{ 'max-size': 'lots' }, "invalid size: 'lots'"],
  [{ tag: '{{.Nothing}}' }, "template: log-tag:1: can't evaluate"],
])('a value that makes no sense fails the start: %o', async (options, text) => {
  const id = await created('true', { driver: 'json-file', options });
  await expect(stage.engine.call('start', id)).rejects.toThrow(`failed to initialize logging driver: ${text}`);
});
