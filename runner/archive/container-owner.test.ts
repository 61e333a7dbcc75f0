import { expect, test } from 'vitest';
import { ownerIn } from './container-owner.ts';

const passwd = 'root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/srv:/bin/sh\n';
const group = 'root:x:0:\nstaff:x:50:\n';

test.each([
  ['', undefined],
  ['app', { uid: 1000, gid: 1001 }],
  ['app:staff', { uid: 1000, gid: 50 }],
  ['app:7', { uid: 1000, gid: 7 }],
  ['1000', { uid: 1000, gid: 1001 }],
  ['5', { uid: 5, gid: 0 }],
  ['5:6', { uid: 5, gid: 6 }],
])('%s', (text, owner) => {
  expect(ownerIn(text, passwd, group)).toEqual(owner);
});

test.each(['nobody', 'app:none', '-1', '4294967295'])('%s is nobody', (text) => {
  expect(() => ownerIn(text, passwd, group)).toThrow(/unable to find/);
});
