import { weakening, type Weakening } from '../weakening.ts';

const identity = 'runner/launcher/c/identity.c';
const rules = 'runner/security/seccomp-rules.ts';

const of =
  (file: string) =>
  (name: string): Weakening['test'] => ({ project: 'system', file: `test/security/${file}.test.ts`, name });
const root = of('launcher-root');
const defaults = of('container-defaults');

const capabilities = 'CVE-2022-29162';
const ids = 'CVE-2026-30892';
const image = 'CVE-2022-23648';
const filter = 'AF_ALG and AF_VSOCK sockets';
const devices = 'Devices of the host';
const policy = 'Defaults';

/** Who a process is, and what it may. */
export const privilegeWeakenings: readonly Weakening[] = [
  weakening(
    'inheritable-capabilities',
    capabilities,
    'the inheritable set is the permitted one',
    {
      file: identity,
      from: '{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},',
      to: '{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted, .inheritable = (uint32_t)permitted},',
    },
    root('inheritable and ambient capabilities are empty'),
    /expected/,
  ),
  weakening(
    'bounding-capabilities',
    capabilities,
    'the bounding set is not cut down',
    {
      file: identity,
      from: 'if (keep >> capability & 1) continue;',
      to: 'if (keep >> capability & 1 || true) continue;',
    },
    root('inheritable and ambient capabilities are empty'),
    /CapBnd/,
  ),
  weakening(
    'groups',
    'CVE-2022-36109',
    'the groups are not set',
    {
      file: identity,
      from: 'if (setgroups(identity->group_count, identity->groups) < 0) return fail(report, errno, "set", "groups");',
      to: '',
    },
    root('the supplementary groups are those of the user alone'),
    /Groups/,
  ),
  weakening(
    'highest-id',
    ids,
    'ids beyond 2^31 - 1 are taken',
    { file: identity, from: 'return value <= MAX_ID;', to: 'return true;' },
    root('"4294967295" is no user'),
    /resolved/,
  ),
  weakening(
    'digits-of-ids',
    ids,
    'ids are read as strtoul reads them',
    {
      file: identity,
      from: "if (*text < '0' || *text > '9') return false;\n        value = value * 10 + (uint64_t)(*text - '0');",
      to: 'value = strtoul(text, NULL, 0);\n        break;',
    },
    root('"0x0" is no user'),
    /resolved/,
  ),
  weakening(
    'passwd-is-a-file',
    image,
    'whatever lies at /etc/passwd is read',
    {
      file: identity,
      from: 'if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {',
      to: 'if (fstat(fd, &status) < 0) {',
    },
    root('/etc/passwd is read beneath the root'),
    /read as a regular file/,
  ),
  weakening(
    'passwd-is-small',
    image,
    'sixty-four times as much of /etc/passwd is read',
    { file: identity, from: '#define MAX_DATABASE (1u << 20)', to: '#define MAX_DATABASE (64u << 20)' },
    root('/etc/passwd is read beneath the root'),
    /EFBIG/,
  ),
  weakening(
    'passwd-beneath-the-root',
    image,
    'links at /etc/passwd are followed out',
    {
      file: identity,
      from: 'int fd = open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);',
      to: 'int fd = openat(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);',
    },
    root('/etc/passwd is read beneath the root'),
    /resolved/,
  ),
  weakening(
    'stop-signal',
    image,
    'a stop signal of an image that is none is an error',
    {
      file: 'runner/container/signals.ts',
      from: '} catch {\n    return constants.signals.SIGTERM;',
      to: '} catch (error) {\n    throw error;',
    },
    of('hostile-image')('a stop signal of SIGNONSENSE makes no container unstoppable'),
    /rejected/,
  ),
  weakening(
    'af-alg',
    filter,
    'sockets of AF_ALG are allowed',
    { file: rules, from: "value: afAlg, op: 'SCMP_CMP_LT'", to: "value: afAlg + 1, op: 'SCMP_CMP_LT'" },
    defaults('the filter of the first process refuses'),
    /socket-38/,
  ),
  weakening(
    'af-vsock',
    filter,
    'sockets of AF_VSOCK are allowed',
    { file: rules, from: "value: afVsock, op: 'SCMP_CMP_GT'", to: "value: afVsock, op: 'SCMP_CMP_GE'" },
    defaults('the filter of an exec refuses'),
    /socket-40/,
  ),
  weakening(
    'clone3',
    filter,
    'clone3 is allowed, whose flags no filter can read',
    {
      file: rules,
      from: "rule: { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },",
      to: "rule: allow(['clone3']),",
    },
    defaults('the filter of the first process refuses'),
    /clone3/,
  ),
  weakening(
    'keyrings',
    filter,
    'the calls of keyrings are allowed',
    {
      file: rules,
      from: "allow(['arch_prctl', 'modify_ldt'])",
      to: "allow(['arch_prctl', 'modify_ldt', 'keyctl', 'add_key'])",
    },
    defaults('the filter of the first process refuses'),
    /keyctl/,
  ),
  weakening(
    'filter-installed',
    filter,
    'the filter is not installed',
    { file: identity, from: 'if (!filter->len) return 0;', to: 'if (filter->len) return 0;' },
    defaults('the filter of an exec refuses'),
    /expected/,
  ),
  weakening(
    'device-program',
    devices,
    'no program is attached to the cgroup',
    {
      file: 'runner/launcher/c/cgroup.c',
      from: 'long result = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));',
      to: 'long result = ((void)attach, 0);',
    },
    defaults('a node of the kernel log can be made, as in Docker, but not opened'),
    /read 0/,
  ),
  weakening(
    'device-default',
    devices,
    'what no rule of the program matches is allowed',
    { file: 'runner/launcher/device-program.ts', from: '...answer(base)]', to: '...answer(base || true)]' },
    defaults('a node of the kernel log can be made, as in Docker, but not opened'),
    /read 0/,
  ),
  weakening(
    'masks',
    policy,
    'masked paths are not masked',
    {
      file: 'runner/launcher/c/mounts.c',
      from: 'if (mask >= 0 && attach(mask, target) < 0) result = fail(report, errno, "mask", path);',
      to: '',
    },
    root('masked paths are masked'),
    /1:3/,
  ),
  weakening(
    'read-only-paths',
    policy,
    '/proc/sys is writable',
    { file: 'runner/security/paths.ts', from: "  '/proc/sys',\n", to: '' },
    defaults('/sys and the cgroup file system are read-only'),
    /ro/,
  ),
  weakening(
    'fourteen-capabilities',
    policy,
    'root has CAP_SYS_ADMIN, too',
    { file: 'runner/security/capabilities.ts', from: "'CAP_SYS_CHROOT',", to: "'CAP_SYS_CHROOT',\n  'CAP_SYS_ADMIN'," },
    defaults("capabilities of root are exactly Docker's fourteen"),
    /00000000a8/,
  ),
  weakening(
    'no-new-privileges',
    policy,
    'no-new-privileges is not passed on',
    {
      file: 'runner/launcher/c/decode.c',
      from: 'o->security.no_new_privileges = get_u32(r);',
      to: 'get_u32(r);',
    },
    defaults('no-new-privileges on request'),
    /'1'/,
  ),
  weakening(
    'own-namespaces',
    policy,
    'the container has the host’s IPC namespace',
    {
      file: 'runner/launcher/namespaces.ts',
      from: "if (path === undefined && type !== 'cgroup') flags",
      to: "if (path === undefined && type !== 'cgroup' && type !== 'ipc') flags",
    },
    defaults('ipc differs from that of the host'),
    /to be 3/,
  ),
  weakening(
    'user-namespace',
    'Root of a container acts on the host',
    'the user namespace that was asked for is not made',
    { file: 'runner/container/isolation.ts', from: "return config.usernsMode === 'private' ||", to: 'return' },
    of('container-user-namespace')('root in it is nobody on the host'),
    /expected/,
  ),
  weakening(
    'process-of-a-namespace',
    'A namespace joined by a process number',
    'nobody asks whether the process is still the container’s',
    {
      file: 'runner/container/joined-namespaces.ts',
      from: 'if (!cgroups.includes(`/${id}`)) throw',
      to: 'if (cgroups === `/${id}`) throw',
    },
    {
      project: 'unit',
      file: 'runner/container/joined-namespaces.test.ts',
      name: 'a PID namespace is not joined when the process of that number is another',
    },
    /expected/,
  ),
  weakening(
    'type-of-a-namespace',
    'A namespace joined by a process number',
    'any file is taken for the namespace that it is said to be',
    {
      file: 'runner/launcher/c/namespaces.c',
      from: 'ioctl(fd, NS_GET_NSTYPE) == (int)kind) return fd;',
      to: 'kind) return fd;',
    },
    { project: 'system', file: 'test/launcher/namespaces.test.ts', name: 'what cannot be joined is named' },
    /expected/,
  ),
  weakening(
    'options-understood',
    'Options that open more than they say',
    'a security option that nobody knows is passed over',
    {
      file: 'runner/security/security-options.ts',
      from: 'default:\n        throw refused(2, option);',
      to: 'default:',
    },
    {
      project: 'system',
      file: 'test/engine/isolation.test.ts',
      name: 'options that nobody knows are refused',
    },
    /expected/,
  ),
  weakening(
    'sysctls-of-the-host',
    'Options that open more than they say',
    'a sysctl may be one of the host’s IPC namespace',
    {
      file: 'runner/security/sysctls.ts',
      from: "if (!own.ipc) throw refused(written, 'is not allowed in the hosts ipc namespace');",
      to: '',
    },
    {
      project: 'system',
      file: 'test/engine/isolation.test.ts',
      name: 'sysctls of its own namespaces; others are refused',
    },
    /expected/,
  ),
];
