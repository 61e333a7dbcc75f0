import { expect, test } from 'vitest';
import { parseDeviceCgroupRule } from './device-cgroup-rule.ts';
import { defaultDeviceRules, withDeviceRules } from './device-rules.ts';

test('rules as the client writes them', () => {
  expect(parseDeviceCgroupRule('c 10:229 rwm')).toEqual({
    allow: true,
    type: 'c',
    major: 10,
    minor: 229,
    access: 'rwm',
  });
  expect(parseDeviceCgroupRule('b 8:* r')).toEqual({ allow: true, type: 'b', major: 8, access: 'r' });
  expect(parseDeviceCgroupRule('a *:* m')).toEqual({ allow: true, access: 'm' });
});

test.each(['', 'c 1:3', 'd 1:3 r', 'c 1:3 x', 'c 1:3 rwmr', 'c -1:3 r', ' c 1:3 r', 'c 1:3 r\n', 'c 4096:1 r'])(
  '%j is refused',
  (text) =>
    expect(() => parseDeviceCgroupRule(text)).toThrow(/^invalid (major value in )?device cgroup rule format: '/),
);

test('rules of one device become one', () => {
  const rules = withDeviceRules([parseDeviceCgroupRule('c 10:229 r'), parseDeviceCgroupRule('c 10:229 w')]);
  expect(rules.slice(0, -1)).toEqual(defaultDeviceRules);
  expect(rules.at(-1)).toEqual({ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' });
});
