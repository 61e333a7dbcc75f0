import { expect, test } from 'vitest';
import { profileNames } from './security-facts.ts';
import { defaultIdMappings, idMappingsOf, parseSubordinateIds } from './subordinate-ids.ts';

test('the first whole range of an owner', () => {
  const text = 'kiel:x:1\nother:5:6\nkiel:2147483000:65536\nkiel:100000:65536\nkiel:300000:1\n';
  expect(parseSubordinateIds(text, 'kiel')).toEqual({ containerID: 0, hostID: 100_000, size: 65_536 });
  expect(parseSubordinateIds(text, 'none')).toBeUndefined();
});

test('"default" needs no file, and a user without a range is told so', () => {
  expect(idMappingsOf('default')).toBe(defaultIdMappings);
  expect(() => idMappingsOf('nobody-at-all')).toThrow(/the ids of "nobody-at-all" in \/etc\/subuid: /);
});

test('names of AppArmor profiles', () => {
  expect(profileNames('docker-default (enforce)\n/usr/bin/man (complain)\nnonsense\n')).toEqual([
    'docker-default',
    '/usr/bin/man',
  ]);
});
