import { expect, test } from 'vitest';
import {
  capabilitiesOfMask,
  containerCapabilities,
  defaultCapabilities,
  knownCapabilities,
  normalCapabilities,
} from './capabilities.ts';

const asked = { privileged: false, capAdd: [], capDrop: [] };
const some = knownCapabilities.filter((name) => name !== 'CAP_SYS_RESOURCE');

test('names are taken in any case, with and without their prefix', () => {
  expect(normalCapabilities('CapAdd', ['net_admin', 'CAP_Sys_Time', 'all'], some)).toEqual([
    'CAP_NET_ADMIN',
    'CAP_SYS_TIME',
    'ALL',
  ]);
});

test.each([
  ['CapAdd', 'CHWOWN', 'invalid CapAdd: unknown capability: "CAP_CHWOWN"'],
  ['CapDrop', 'CAP_', 'invalid CapDrop: unknown capability: "CAP_"'],
  [
    'CapAdd',
    'sys_resource',
    'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"',
  ],
] as const)('%s %s is refused in the words of dockerd', (field, name, text) => {
  expect(() => normalCapabilities(field, [name], some)).toThrow(text);
});

test('nothing asked for: the default ones, and what a privileged one gets is what there is', () => {
  expect(containerCapabilities(asked, some).toSorted()).toEqual(defaultCapabilities);
  expect(containerCapabilities({ ...asked, privileged: true, capDrop: ['ALL'] }, some)).toEqual(some);
});

test('ALL is a start in both lists', () => {
  expect(containerCapabilities({ ...asked, capAdd: ['ALL'], capDrop: ['CAP_CHOWN'] }, some)).toEqual(
    some.filter((name) => name !== 'CAP_CHOWN'),
  );
  expect(containerCapabilities({ ...asked, capAdd: ['CAP_KILL'], capDrop: ['ALL'] }, some)).toEqual(['CAP_KILL']);
  expect(containerCapabilities({ ...asked, capDrop: ['ALL'] }, some)).toEqual([]);
});

test('what is dropped goes before what is added comes', () => {
  const of = (capAdd: string[], capDrop: string[]) => containerCapabilities({ ...asked, capAdd, capDrop }, some);
  expect(of(['CAP_NET_ADMIN'], ['CAP_CHOWN']).toSorted()).toEqual(
    [...defaultCapabilities.filter((name) => name !== 'CAP_CHOWN'), 'CAP_NET_ADMIN'].toSorted(),
  );
  expect(of(['CAP_CHOWN'], ['CAP_CHOWN'])).toContain('CAP_CHOWN');
});

test("a mask's digits", () => {
  expect(capabilitiesOfMask('00000000a80425fb').toSorted()).toEqual(defaultCapabilities);
  expect(capabilitiesOfMask('000001ffffffffff')).toEqual(knownCapabilities);
});
