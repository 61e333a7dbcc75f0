import { script, step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';

/** Holds on a machine whose root lacks one; elsewhere the two are equal. */
const allCapabilities = {
  why: 'runc fails where root itself lacks a capability; we give what root has',
  in: ['exit', 'stdout', 'stderr'],
} as const;

const status = (field: string): string => `grep ${field} /proc/self/status | cut -f 2`;

/** Capabilities, namespaces, devices, what is hidden, init. */
export const isolationSteps: readonly Step[] = [
  script('run --rm busybox', status('CapEff'), { stdout: '00000000a80425fb\n' }),
  script('run --rm --cap-drop ALL busybox', status('CapEff'), { stdout: '0000000000000000\n' }),
  script('run --rm --cap-drop ALL --cap-add net_admin --cap-add CAP_CHOWN busybox', status('CapEff'), {
    stdout: '0000000000001001\n',
  }),
  script('run --rm --cap-add SYS_TIME --cap-drop MKNOD busybox', status('CapBnd'), { stdout: '00000000a20425fb\n' }),
  step('run --rm --cap-add NOSUCH busybox true', {
    exit: 125,
    stderr: /invalid CapAdd: unknown capability: "CAP_NOSUCH"/,
  }),
  script('run --rm --privileged busybox', 'mount -t tmpfs none /tmp; echo $?', {
    stdout: '0\n',
    differs: allCapabilities,
  }),
  script('run --rm --privileged busybox', status('Seccomp:'), { stdout: '0\n', differs: allCapabilities }),
  script('run --rm busybox', 'mount -t tmpfs none /tmp', {
    exit: 1,
    stderr: /Operation not permitted|permission denied/,
  }),
  script('run --rm busybox', status('Seccomp:'), { stdout: '2\n' }),
  script('run --rm --security-opt seccomp=unconfined busybox', status('Seccomp:'), { stdout: '0\n' }),
  step('run --rm --security-opt nonsense=1 busybox true', { exit: 125, stderr: /invalid --security-opt/i }),
  script('run --rm --ipc host busybox', 'df /dev/shm | tail -1 | cut -c 1-5', { stdout: /^(shm|tmpfs|none)/ }),
  step('run -d --name sharer --ipc shareable --hostname sharer busybox sleep 1000', { stdout: '<id>\n' }),
  step('exec sharer touch /dev/shm/mark'),
  step('run --rm --ipc container:sharer busybox ls /dev/shm', { stdout: 'mark\n' }),
  script('run --rm --pid container:sharer busybox', 'ps | grep -c "[s]leep 1000"', { stdout: '1\n' }),
  step('run --rm --ipc container:nosuch busybox true', { exit: 125, stderr: /[Nn]o such container: nosuch/ }),
  script('run --rm --pid host busybox', 'test $(ps | wc -l) -gt 20; echo $?', { stdout: '0\n' }),
  step('run --rm --uts host --hostname x busybox true', {
    exit: 125,
    stderr: /conflicting options: hostname and the UTS mode/,
  }),
  step('run --rm --network container:sharer busybox hostname', { stdout: 'sharer\n' }),
  step('run --rm --network none busybox ls /sys/class/net', { stdout: /^lo\n/ }),
  step('rm -f sharer', { stdout: 'sharer\n' }),
  script('run --rm --device /dev/null:/dev/nil:rw busybox', 'echo x > /dev/nil; stat -c %t:%T /dev/nil', {
    stdout: '1:3\n',
  }),
  step('run --rm --device /dev/nosuch busybox true', {
    exit: 127,
    stderr: /error gathering device information while adding custom device "\/dev\/nosuch": no such file or directory/,
  }),
  step('run --rm --sysctl net.core.somaxconn=99 busybox cat /proc/sys/net/core/somaxconn', { stdout: '99\n' }),
  step('run --rm --oom-score-adj 300 busybox cat /proc/self/oom_score_adj', { stdout: '300\n' }),
  step('run --rm --oom-score-adj 3000 busybox true', {
    exit: 125,
    stderr: /Invalid value 3000, range for oom score adj is \[-1000, 1000\]/,
  }),
  script('run --rm --init busybox', 'cat /proc/1/comm', { stdout: 'docker-init\n' }),
  script('run --rm --init busybox', 'kill -9 $$', { exit: 137 }),
  script('run --rm --read-only --tmpfs /run:rw,size=64k busybox', 'touch /run/x && df -k /run | tail -1', {
    stdout: /64/,
  }),
  script('run --rm --security-opt systempaths=unconfined busybox', 'mount | grep -c "on /proc/"', {
    exit: 1,
    stdout: '0\n',
  }),
  step('run --rm --domainname example.org --hostname deck busybox cat /proc/sys/kernel/domainname', {
    stdout: 'example.org\n',
  }),
  step('run --rm --runtime runc busybox echo by runc', { stdout: 'by runc\n' }),
  step('run --rm --runtime nosuch busybox true', {
    exit: 125,
    stderr: /unknown or invalid runtime name: nosuch/,
    differs: { why: olderText, in: ['stderr'] },
  }),
];
