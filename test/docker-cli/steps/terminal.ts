import { script, step, until, type Step } from '../step.ts';

const line = 'echo ready; while read x; do echo "got $x"; done';
const trapped =
  'echo ready; : > /dev/shm/ready; read x; trap "echo bye; exit 9" TERM; echo "got $x"; while :; do sleep 0.1; done';
const escape = ['got', '\u0010\u0011'] as const;

/** A client at a terminal: keys, detaching, attaching; and signals that it passes on. */
export const terminalSteps: readonly Step[] = [
  script('run -it --name booth busybox', line, {
    terminal: true,
    keys: [['ready', 'ahoy\n'], escape],
    stdout: 'ready\nahoy\ngot ahoy\n',
  }),
  step('ps --format {{.Names}}|{{.State}}', { stdout: 'booth|running\n' }),
  step('attach booth', {
    terminal: true,
    keys: [['', 'again\n'], escape],
    exit: 1,
    stdout: 'again\ngot again\nread escape sequence\n',
  }),
  step('attach --detach-keys ctrl-x,x booth', {
    terminal: true,
    keys: [
      ['', 'more\n'],
      ['got more', '\u0018x'],
    ],
    exit: 1,
    stdout: 'more\ngot more\nread escape sequence\n',
  }),
  step('attach --detach-keys nonsense booth', {
    terminal: true,
    exit: 1,
    stdout: 'unable to upgrade to tcp, received 400\n',
  }),
  step('attach booth', { exit: 1, stderr: /the input device is not a TTY/i }),
  step('exec -it --detach-keys ctrl-a booth cat', {
    terminal: true,
    keys: [
      ['', 'line\n'],
      ['line\r\nline', '\u0001'],
    ],
    exit: 1,
    stdout: 'line\nline\nread escape sequence\n',
  }),
  step('attach booth', {
    terminal: true,
    keys: [
      ['', 'end\n'],
      ['got end', '\u0004'],
    ],
    stdout: /^end\ngot end\n/,
  }),
  step('wait booth', { stdout: '0\n' }),
  step('logs booth', { stdout: /^ready\nahoy\ngot ahoy\n/ }),
  step('start -ai --detach-keys ctrl-b booth', {
    terminal: true,
    keys: [
      ['ready', 'once\n'],
      ['got once', '\u0002'],
    ],
    stdout: 'ready\nonce\ngot once\n',
  }),
  step('rm -f booth', { stdout: 'booth\n' }),
  step('run -it busybox true', { exit: 1, stderr: /the input device is not a TTY/i }),
  // Signals
  script('run -i --name relay busybox', trapped, {
    input: 'a\n',
    signal: { after: 'got a', name: 'SIGTERM' },
    exit: 9,
    stdout: 'ready\ngot a\nbye\n',
  }),
  step('start relay', { stdout: 'relay\n' }),
  script('exec relay', until('test -e /dev/shm/ready')), // what it said is not for who comes later
  step('attach relay', {
    input: 'b\n',
    signal: { after: 'got b', name: 'SIGTERM' },
    exit: 9,
    stdout: 'got b\nbye\n',
  }),
  step('start relay', { stdout: 'relay\n' }),
  script('exec relay', until('test -e /dev/shm/ready')), // what it said is not for who comes later
  step('attach --sig-proxy=false relay', {
    input: 'c\n',
    signal: { after: 'got c', name: 'SIGKILL' },
    exit: 128,
    stdout: 'got c\n',
  }),
  step('ps --format {{.Names}}|{{.State}}', { stdout: 'relay|running\n' }),
  step('attach --no-stdin relay', { forMs: 800, stdout: '' }),
  step('kill -s TERM relay', { stdout: 'relay\n' }),
  step('wait relay', { stdout: '9\n' }),
  step('attach relay', { exit: 1, stderr: /cannot attach to a stopped container, start it first/i }),
  step('rm relay', { stdout: 'relay\n' }),
];
