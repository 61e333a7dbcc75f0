import type { Weakening } from '../weakening.ts';

const rules = 'runner/security/seccomp-rules.ts';
const kernelFiles = 'runner/launcher/c/kernel_files.c';

const of =
  (file: string) =>
  (name: string): Weakening['test'] => ({ project: 'system', file: `test/security/${file}.test.ts`, name });
const root = of('launcher-root');
const defaults = of('container-defaults');

const filter = 'AF_ALG and AF_VSOCK sockets';
const devices = 'Devices of the host';
const policy = 'Defaults';

/** What a container may do: calls, devices, paths, namespaces; and what options make of that. */
export const policyWeakenings: readonly Weakening[] = [
  {
    name: 'af-alg',
    rule: filter,
    without: 'sockets of AF_ALG are allowed',
    changes: [{ file: rules, from: "value: afAlg, op: 'SCMP_CMP_LT'", to: "value: afAlg + 1, op: 'SCMP_CMP_LT'" }],
    test: defaults('the filter of the first process refuses'),
    sees: /socket-38/,
  },
  {
    name: 'af-vsock',
    rule: filter,
    without: 'sockets of AF_VSOCK are allowed',
    changes: [{ file: rules, from: "value: afVsock, op: 'SCMP_CMP_GT'", to: "value: afVsock, op: 'SCMP_CMP_GE'" }],
    test: defaults('the filter of an exec refuses'),
    sees: /socket-40/,
  },
  {
    name: 'clone3',
    rule: filter,
    without: 'clone3 is allowed, whose flags no filter can read',
    changes: [
      {
        file: rules,
        from: "rule: { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },",
        to: "rule: allow(['clone3']),",
      },
    ],
    test: defaults('the filter of the first process refuses'),
    sees: /clone3/,
  },
  {
    name: 'keyrings',
    rule: filter,
    without: 'the calls of keyrings are allowed',
    changes: [
      {
        file: rules,
        from: "allow(['arch_prctl', 'modify_ldt'])",
        to: "allow(['arch_prctl', 'modify_ldt', 'keyctl', 'add_key'])",
      },
    ],
    test: defaults('the filter of the first process refuses'),
    sees: /keyctl/,
  },
  {
    name: 'filter-installed',
    rule: filter,
    without: 'the filter is not installed',
    changes: [
      { file: 'runner/launcher/c/identity.c', from: 'if (!filter->len) return 0;', to: 'if (filter->len) return 0;' },
    ],
    test: defaults('the filter of an exec refuses'),
    sees: /'init_module'/,
  },
  {
    name: 'device-program',
    rule: devices,
    without: 'no program is attached to the cgroup',
    changes: [
      {
        file: 'runner/launcher/c/cgroup.c',
        from: 'long result = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach));',
        to: 'long result = ((void)attach, 0);',
      },
    ],
    test: defaults('a node of the kernel log can be made, as in Docker, but not opened'),
    sees: /write 0/,
  },
  {
    name: 'device-default',
    rule: devices,
    without: 'what no rule of the program matches is allowed',
    changes: [{ file: 'runner/launcher/device-program.ts', from: '...answer(base)]', to: '...answer(base || true)]' }],
    test: defaults('a node of the kernel log can be made, as in Docker, but not opened'),
    sees: /write 0/,
  },
  {
    name: 'masks',
    rule: policy,
    without: 'masked paths are not masked',
    changes: [
      {
        file: kernelFiles,
        from: 'if (mask >= 0 && attach(mask, target) < 0) result = fail(report, errno, "mask", path);',
        to: '',
      },
    ],
    test: root('masked paths are masked'),
    sees: /1:3/,
  },
  {
    name: 'read-only-paths',
    rule: policy,
    without: '/proc/sys is writable',
    changes: [{ file: 'runner/security/paths.ts', from: "  '/proc/sys',\n", to: '' }],
    test: defaults('/sys and the cgroup file system are read-only'),
    sees: /ro/,
  },
  {
    name: 'fourteen-capabilities',
    rule: policy,
    without: 'root has CAP_SYS_ADMIN, too',
    changes: [
      {
        file: 'runner/security/capabilities.ts',
        from: "'CAP_SYS_CHROOT',",
        to: "'CAP_SYS_CHROOT',\n  'CAP_SYS_ADMIN',",
      },
    ],
    test: defaults("capabilities of root are exactly Docker's fourteen"),
    sees: /00000000a8/,
  },
  {
    name: 'no-new-privileges',
    rule: policy,
    without: 'no-new-privileges is not passed on',
    changes: [
      {
        file: 'runner/launcher/c/decode.c',
        from: 'o->security.no_new_privileges = get_u32(r);',
        to: 'get_u32(r);',
      },
    ],
    test: defaults('no-new-privileges on request'),
    sees: /'1'/,
  },
  {
    name: 'own-namespaces',
    rule: policy,
    without: 'the container has the host’s IPC namespace',
    changes: [
      {
        file: 'runner/launcher/namespaces.ts',
        from: "if (path === undefined && type !== 'cgroup') flags",
        to: "if (path === undefined && type !== 'cgroup' && type !== 'ipc') flags",
      },
    ],
    test: defaults('ipc differs from that of the host'),
    sees: /to be 3/,
  },
  {
    name: 'user-namespace',
    rule: 'Root of a container acts on the host',
    without: 'the user namespace that was asked for is not made',
    changes: [
      { file: 'runner/container/isolation.ts', from: "return config.usernsMode === 'private' ||", to: 'return' },
    ],
    test: of('container-user-namespace')('root in it is nobody on the host'),
    sees: /\[ '0', '0', '0', '0' \]/,
  },
  {
    name: 'process-of-a-namespace',
    rule: 'A namespace joined by a process number',
    without: 'nobody asks whether the process is still the container’s',
    changes: [
      {
        file: 'runner/container/joined-namespaces.ts',
        from: 'if (!cgroups.includes(`/${id}`)) throw',
        to: 'if (cgroups === `/${id}`) throw',
      },
    ],
    test: {
      project: 'unit',
      file: 'runner/container/joined-namespaces.test.ts',
      name: 'a PID namespace is not joined when the process of that number is another',
    },
    sees: /to throw an error/,
  },
  {
    name: 'type-of-a-namespace',
    rule: 'A namespace joined by a process number',
    without: 'any file is taken for the namespace that it is said to be',
    changes: [
      {
        file: 'runner/launcher/c/namespaces.c',
        from: 'ioctl(fd, NS_GET_NSTYPE) == (int)kind) return fd;',
        to: 'kind) return fd;',
      },
    ],
    test: { project: 'system', file: 'test/launcher/namespaces.test.ts', name: 'what cannot be joined is named' },
    sees: /join network namespace: EINVAL/,
  },
  {
    name: 'options-understood',
    rule: 'Options that open more than they say',
    without: 'a security option that nobody knows is passed over',
    changes: [
      {
        file: 'runner/security/security-options.ts',
        from: 'default:\n        throw refused(2, option);',
        to: 'default:',
      },
    ],
    test: {
      project: 'system',
      file: 'test/engine/isolation.test.ts',
      name: 'options that nobody knows are refused',
    },
    sees: /expected \+0 not to be \+0/,
  },
  {
    name: 'sysctls-of-the-host',
    rule: 'Options that open more than they say',
    without: 'a sysctl may be one of the host’s IPC namespace',
    changes: [
      {
        file: 'runner/security/sysctls.ts',
        from: "if (!own.ipc) throw refused(written, 'is not allowed in the hosts ipc namespace');",
        to: '',
      },
    ],
    test: {
      project: 'system',
      file: 'test/engine/isolation.test.ts',
      name: 'sysctls of its own namespaces; others are refused',
    },
    sees: /would be the host/,
  },
];
