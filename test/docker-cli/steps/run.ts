import { script, step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const noPull = 'this version pulls no images; dockerd asks a registry, which is not there';

/** `docker run` in the foreground, and what it refuses. */
export const runSteps: readonly Step[] = [
  step('run --rm busybox echo hi', { stdout: 'hi\n' }),
  script('run --rm busybox', 'echo out; echo err >&2; exit 3', { exit: 3, stdout: 'out\n', stderr: 'err\n' }),
  step('run --rm -i busybox cat', { input: 'through\n', stdout: 'through\n' }),
  step('run --rm -i busybox wc -c', { input: 'x'.repeat(300_000), stdout: '300000\n' }),
  step('run --rm -t busybox tty', { stdout: '/dev/pts/0\n' }),
  step('run --rm -it busybox tty', { terminal: true, stdout: '/dev/pts/0\n' }),
  step('run --rm -e ONE=1 -e TWO=zwei busybox env', {
    // The client sends them in any order.
    sorted: true,
    stdout: /^(?=[^]*ONE=1)(?=[^]*TWO=zwei)/,
  }),
  step('run --rm -w /tmp busybox pwd', { stdout: '/tmp\n' }),
  step('run --rm -u nobody busybox id -u', { stdout: '65534\n' }),
  step('run --rm -u 5:7 busybox id', {
    stdout: 'uid=5 gid=7 groups=7\n',
  }),
  step('run --rm --group-add 4321 busybox id -G', { stdout: /4321/ }),
  step('run --rm -h harbour busybox hostname', { stdout: 'harbour\n' }),
  step('run --rm --entrypoint echo busybox from entry', { stdout: 'from entry\n' }),
  step('run --rm --read-only busybox touch /x', { exit: 1, stderr: 'touch: /x: Read-only file system\n' }),
  script('run --rm --shm-size 8m busybox', 'df -k /dev/shm | tail -1', { stdout: /8192/ }),
  script('run --rm --ulimit nofile=99:100 busybox', 'ulimit -n; ulimit -Hn', { stdout: '99\n100\n' }),
  script('run --rm --security-opt no-new-privileges busybox', 'grep NoNewPrivs /proc/self/status', { stdout: /1/ }),
  script('run --rm busybox', 'kill -TERM $$', { exit: 0 }),
  script('run --rm busybox', 'sh -c "kill -KILL \\$\\$"; exit $?', { exit: 137, stderr: /Killed|^$/ }),
  step('run --rm busybox nosuch', {
    exit: 127,
    stderr: /exec: "nosuch": executable file not found in \$PATH/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm busybox /nosuch/x', {
    exit: 127,
    stderr: /no such file or directory/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm busybox /etc', {
    exit: 126,
    stderr: /permission denied/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run nosuch', {
    exit: 125,
    stderr: /Unable to find image 'nosuch:latest' locally\n.*Error response from daemon: /,
    differs: { why: noPull, in: ['stderr'] },
  }),
  step('run --rm --restart always busybox true', { exit: 125, stderr: /conflicting options|Conflicting options/ }),
  step('run --rm -p 99999:80 busybox true', { exit: 125, stderr: /invalid/i }),
  step('run --name bad/name busybox true', {
    exit: 125,
    stderr: /Invalid container name \(bad\/name\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
  }),
  step('ps -aq', { stdout: '' }),
];
