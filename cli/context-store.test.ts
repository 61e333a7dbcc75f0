import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveAddress, checkedUrl } from './connection.ts';
import { configPath, ContextStore } from './context-store.ts';

let directory: string;
let store: ContextStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-contexts-'));
  store = new ContextStore(join(directory, 'deep', 'config.json'));
});
afterEach(() => rm(directory, { recursive: true }));

const one = { url: 'http://one.example', token: 'brt_1' };
const two = { url: 'http://two.example', token: 'brt_2' };

test('the file is readable by its owner only, also when it was not before, and no temp file stays', async () => {
  await store.save('one', one);
  await chmod(store.path, 0o644);
  await store.save('two', two);
  expect((await stat(store.path)).mode & 0o777).toBe(0o600);
  expect(await readdir(dirname(store.path))).toEqual(['config.json']);
});

test('the context that was saved last is the current one, until another is used', async () => {
  await store.save('one', one);
  await store.save('two', two);
  expect(await store.find(undefined)).toEqual(two);
  await store.use('one');
  expect(await store.find(undefined)).toEqual(one);
  expect(await store.list()).toEqual([
    { name: 'one', url: one.url, current: true },
    { name: 'two', url: two.url, current: false },
  ]);
  await store.remove('one');
  expect(await store.find(undefined)).toBeUndefined();
  await expect(store.use('one')).rejects.toThrow('there is no context "one"');
  await expect(store.find('constructor')).rejects.toThrow('there is no context "constructor"');
});

test('a damaged file is told, and left as it is', async () => {
  await store.save('one', one);
  await writeFile(store.path, '{ "contexts": 1 }');
  await expect(store.save('two', two)).rejects.toThrow('is not a berth configuration');
  expect(await readFile(store.path, 'utf8')).toBe('{ "contexts": 1 }');
});

test('BERTH_URL and BERTH_TOKEN come before the current context, --context before them', async () => {
  await store.save('one', one);
  const environment = { BERTH_URL: 'http://two.example/', BERTH_TOKEN: 'brt_2' };
  expect(await resolveAddress(store, undefined, environment)).toEqual(two);
  expect(await resolveAddress(store, 'one', environment)).toEqual(one);
  expect(await resolveAddress(store, undefined, { BERTH_TOKEN: 'brt_2' })).toEqual({ url: one.url, token: 'brt_2' });
  await store.remove('one');
  await expect(resolveAddress(store, undefined, {})).rejects.toThrow('no control plane is chosen');
});

test('a URL is http or https, without credentials, query or trailing slash', () => {
  expect(checkedUrl('https://a.example/sub/?x#y')).toBe('https://a.example/sub');
  for (const text of ['a.example', 'ftp://a.example', 'http://me:pw@a.example', '']) {
    expect(() => checkedUrl(text)).toThrow(`"${text}" is not the URL of a control plane`);
  }
});

test('the place of the file', () => {
  expect(configPath({ BERTH_CONFIG: '/x.json', XDG_CONFIG_HOME: '/c' })).toBe('/x.json');
  expect(configPath({ XDG_CONFIG_HOME: '/c' })).toBe('/c/berth/config.json');
});
