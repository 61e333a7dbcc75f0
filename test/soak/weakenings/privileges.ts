import type { Weakening } from '../weakening.ts';

const identity = 'runner/launcher/c/identity.c';

const of =
  (file: string) =>
  (name: string): Weakening['test'] => ({ project: 'system', file: `test/security/${file}.test.ts`, name });
const root = of('launcher-root');

const capabilities = 'CVE-2022-29162';
const ids = 'CVE-2026-30892';
const image = 'CVE-2022-23648';

/** Who a process is, and which capabilities it has. */
export const privilegeWeakenings: readonly Weakening[] = [
  {
    name: 'inheritable-capabilities',
    rule: capabilities,
    without: 'the inheritable set is the permitted one',
    changes: [
      {
        file: identity,
        from: '{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},',
        to: '{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted, .inheritable = (uint32_t)permitted},',
      },
    ],
    test: root('inheritable and ambient capabilities are empty'),
    sees: /expected 3 to be 4/,
  },
  {
    name: 'bounding-capabilities',
    rule: capabilities,
    without: 'the bounding set is not cut down',
    changes: [
      {
        file: identity,
        from: 'if (keep >> capability & 1) continue;',
        to: 'if (keep >> capability & 1 || true) continue;',
      },
    ],
    test: root('inheritable and ambient capabilities are empty'),
    sees: /CapBnd/,
  },
  {
    name: 'groups',
    rule: 'CVE-2022-36109',
    without: 'the groups are not set',
    changes: [
      {
        file: identity,
        from: 'if (setgroups(identity->group_count, identity->groups) < 0) return fail(report, errno, "set", "groups");',
        to: '',
      },
    ],
    test: root('the supplementary groups are those of the user alone'),
    sees: /Groups/,
  },
  {
    name: 'highest-id',
    rule: ids,
    without: 'ids beyond 2^31 - 1 are taken',
    changes: [{ file: identity, from: 'return value <= MAX_ID;', to: 'return true;' }],
    test: root('"4294967295" is no user'),
    sees: /resolved/,
  },
  {
    name: 'digits-of-ids',
    rule: ids,
    without: 'ids are read as strtoul reads them',
    changes: [
      {
        file: identity,
        from: "if (*text < '0' || *text > '9') return false;\n        value = value * 10 + (uint64_t)(*text - '0');",
        to: 'value = strtoul(text, NULL, 0);\n        break;',
      },
    ],
    test: root('"0x0" is no user'),
    sees: /resolved/,
  },
  {
    name: 'passwd-is-a-file',
    rule: image,
    without: 'whatever lies at /etc/passwd is read',
    changes: [
      {
        file: identity,
        from: 'if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {',
        to: 'if (fstat(fd, &status) < 0) {',
      },
    ],
    test: root('/etc/passwd is read beneath the root'),
    sees: /read as a regular file/,
  },
  {
    name: 'passwd-is-small',
    rule: image,
    without: 'sixty-four times as much of /etc/passwd is read',
    changes: [{ file: identity, from: '#define MAX_DATABASE (1u << 20)', to: '#define MAX_DATABASE (64u << 20)' }],
    test: root('/etc/passwd is read beneath the root'),
    sees: /EFBIG/,
  },
  {
    name: 'passwd-beneath-the-root',
    rule: image,
    without: 'links at /etc/passwd are followed out',
    changes: [
      {
        file: identity,
        from: 'int fd = open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);',
        to: 'int fd = openat(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);',
      },
    ],
    test: root('/etc/passwd is read beneath the root'),
    sees: /resolved/,
  },
  {
    name: 'stop-signal',
    rule: image,
    without: 'a stop signal of an image that is none is an error',
    changes: [
      {
        file: 'runner/container/signals.ts',
        from: '} catch {\n    return constants.signals.SIGTERM;',
        to: '} catch (error) {\n    throw error;',
      },
    ],
    test: of('hostile-image')('a stop signal of SIGNONSENSE makes no container unstoppable'),
    sees: /rejected/,
  },
];
