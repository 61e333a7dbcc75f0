import { expect, test } from 'vitest';
import { logPolicy, type LoggedContainer } from './log-policy.ts';

const id = 'ab'.repeat(32);
const container: LoggedContainer = {
  name: 'web',
  image: 'busybox:1',
  imageId: `sha256:${'cd'.repeat(32)}`,
  log: undefined,
  labels: { tier: 'front', 'x-a': '1', none: 'n' },
  environment: ['COLOUR=blue=green', 'SIZE=4', 'BARE'],
};

const policy = (driver: 'json-file' | 'local' | 'none', options: Record<string, string> = {}) =>
  logPolicy(id, { ...container, log: { driver, options } });

test('what nobody asked for is bounded; Docker’s json-file without options is not', () => {
  expect(logPolicy(id, container)).toMatchObject({ format: 'json-file', maxBytes: 16 * 2 ** 20, maxFiles: 4 });
  expect(policy('json-file')).toMatchObject({ maxBytes: 0, maxFiles: 1, compress: false, attributes: '' });
  expect(policy('local')).toMatchObject({ format: 'local', maxBytes: 20_000_000, maxFiles: 5, compress: true });
  expect(policy('none')).toMatchObject({ format: 'none' });
});

test.each([
  ['10', 10],
  ['10k', 10_000],
  ['1.5m', 1_500_000],
  ['2GB', 2_000_000_000],
  ['3 MiB', 3_000_000],
  ['-1', 0],
])('max-size %s is %i bytes, by thousands', (text, bytes) => {
  expect(policy('json-file', { 'max-size': text, 'max-file': '3' }).maxBytes).toBe(bytes);
});

test.each([
  ['json-file', { 'max-size': 'ten' }, "invalid size: 'ten'"],
  ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
  ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
  ['json-file', { compress: 'yes' }, 'strconv.ParseBool: parsing "yes": invalid syntax'],
  ['json-file', { compress: 'true', 'max-file': '3' }, 'compress cannot be true when'],
  ['local', { compress: 'true', 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
  ['json-file', { 'labels-regex': '(' }, 'error parsing regexp: ('],
  ['json-file', { tag: '{{.ID | upper}}' }, "template: log-tag:1: can't evaluate"],
] as const)('%s %o: %s', (driver, options, text) => {
  expect(() => policy(driver, { ...options })).toThrow(`failed to initialize logging driver: ${text}`);
});

test('attributes are chosen by name and by pattern, sorted, with the tag', () => {
  const { attributes } = policy('json-file', {
    labels: 'tier,missing',
    'labels-regex': '^x-',
    env: 'COLOUR,BARE',
    'env-regex': 'IZ',
    tag: '{{.ImageName}} {{.Name}} {{ .ID }} {{.FullID}} {{.ImageID}} {{.DaemonName}}',
  });
  const tag = `busybox:1 web ${id.slice(0, 12)} ${id} cdcdcdcdcdcd docker`;
  expect(attributes).toBe(JSON.stringify({ COLOUR: 'blue=green', SIZE: '4', tag, tier: 'front', 'x-a': '1' }));
});
