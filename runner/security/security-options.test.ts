import { expect, test } from 'vitest';
import { parseSecurityOptions } from './security-options.ts';

test('each kind, in both spellings; the last of a kind counts', () => {
  expect(parseSecurityOptions([])).toEqual({ noNewPrivileges: false, labels: [] });
  expect(
    parseSecurityOptions([
      'no-new-privileges:true',
      'seccomp=unconfined',
      'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
      'apparmor:mine',
      'label=type:x',
      'disable',
    ]),
  ).toEqual({
    noNewPrivileges: true,
    seccomp: '{"defaultAction":"SCMP_ACT_ALLOW"}',
    apparmor: 'mine',
    labels: ['type:x', 'disable'],
  });
  expect(parseSecurityOptions(['no-new-privileges', 'no-new-privileges=false']).noNewPrivileges).toBe(false);
});

test.each([
  ['seccomp', 'invalid --security-opt 1: "seccomp"'],
  ['', 'invalid --security-opt 1: ""'],
  ['no-new-privileges=maybe', 'invalid --security-opt 2: "no-new-privileges=maybe"'],
  ['systempaths=unconfined', 'invalid --security-opt 2: "systempaths=unconfined"'],
])('"%s" is refused in the words of dockerd', (option, text) => {
  expect(() => parseSecurityOptions([option])).toThrow(text);
});
