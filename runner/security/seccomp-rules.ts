import type { SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { ordinarySyscalls } from './ordinary-syscalls.ts';

type Rule = SeccompProfile['syscalls'][number];
type Argument = NonNullable<Rule['args']>[number];
export type Architecture = 'amd64' | 'arm64';

/** When a rule holds: each stated condition must. */
export interface Condition {
  readonly withCapability?: string;
  readonly withoutCapability?: string;
  readonly architecture?: Architecture;
  /** Oldest kernel, [major, minor]. */
  readonly kernel?: readonly [number, number];
}

export interface ConditionalRule {
  readonly when: Condition;
  readonly rule: Rule;
}

const allow = (names: readonly string[]): Rule => ({ names, action: 'SCMP_ACT_ALLOW' });
const allowIf = (name: string, argument: Argument): Rule => ({ ...allow([name]), args: [argument] });

const afAlg = 38;
const afVsock = 40;

/** Every namespace flag of clone(2): NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x7e02_0000;

/** personality(2): linux, linux32, UNAME26 and both, and the query. */
const harmlessPersonalities = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const enosys = 38;

/** Whatever its capabilities, a container may do this. */
const always: readonly Rule[] = [
  ...Object.values(ordinarySyscalls).map(allow),
  // Sockets of every family but AF_ALG (a history of kernel holes) and AF_VSOCK (reaches the hypervisor).
  allowIf('socket', { index: 0, value: afAlg, op: 'SCMP_CMP_LT' }),
  allowIf('socket', { index: 0, value: afAlg + 1, op: 'SCMP_CMP_EQ' }),
  allowIf('socket', { index: 0, value: afVsock, op: 'SCMP_CMP_GT' }),
  ...harmlessPersonalities.map((value) => allowIf('personality', { index: 0, value, op: 'SCMP_CMP_EQ' })),
];

/** What a capability opens. */
const byCapability: Readonly<Record<string, string>> = {
  CAP_BPF: 'bpf',
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_PERFMON: 'perf_event_open',
  CAP_SYSLOG: 'syslog',
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
    setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
};

/** The whole policy as data: what is not allowed by a rule whose condition holds fails with EPERM. */
export const seccompRules: readonly ConditionalRule[] = [
  ...always.map((rule) => ({ when: {}, rule })),
  ...Object.entries(byCapability).map(([capability, names]) => ({
    when: { withCapability: capability },
    rule: allow(names.split(/\s+/)),
  })),
  // Before 4.8 a tracer could get around seccomp.
  { when: { kernel: [4, 8] }, rule: allow(['process_vm_readv', 'process_vm_writev', 'ptrace']) },
  { when: { architecture: 'amd64' }, rule: allow(['arch_prctl', 'modify_ldt']) },
  {
    when: { architecture: 'arm64' },
    rule: allow(['arm_fadvise64_64', 'arm_sync_file_range', 'sync_file_range2', 'breakpoint', 'cacheflush', 'set_tls']),
  },
  {
    when: { withoutCapability: 'CAP_SYS_ADMIN' },
    rule: allowIf('clone', { index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
  },
  // The flags of clone3 are in memory, which a filter cannot read: "not there" makes the C library fall back to clone.
  {
    when: { withoutCapability: 'CAP_SYS_ADMIN' },
    rule: { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys },
  },
];
