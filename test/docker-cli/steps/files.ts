import { script, step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';

/** Copies, images from containers, logs. */
export const fileSteps: readonly Step[] = [
  script('run --name author busybox', 'mkdir /work; echo one > /work/a; ln -s a /work/link; rm /etc/group'),
  step('diff author', { sorted: true, stdout: 'A /work\nA /work/a\nA /work/link\nC /etc\nD /etc/group' }),
  step('cp author:/work/a -', {
    stdout: /^a\0[^]*ustar[^]*one\n\0/,
    differs: { why: 'the header of an archive has times in it', in: ['stdout'] },
  }),
  step('cp author:/nosuch -', { exit: 1, stderr: /Could not find the file \/nosuch in container author/ }),
  step('cp - author:/work', {
    exit: 1,
    input: 'no archive at all',
    stderr: /^Error response from daemon: /,
    differs: { why: 'dockerd names its helper process', in: ['stderr'] },
  }),
  step('commit -m third -a me --change ENV=COLOUR=red author made:1', {
    exit: 1,
    stderr: /ENV=COLOUR=red is not a valid change command/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('commit -m third -a me author made:1', { stdout: 'sha256:<digest>\n' }),
  step('run --rm made:1 cat /work/link', { stdout: 'one\n' }),
  step('run --rm made:1 cat /etc/group', { exit: 1, stderr: /No such file/ }),
  {
    args: ['commit', '--change', 'CMD ["echo", "by default"]', '--change', 'ENV COLOUR red', 'author', 'made:2'],
    stdout: 'sha256:<digest>\n',
  },
  step('run --rm made:2', { stdout: 'by default\n' }),
  step('image inspect --format {{.Config.Env}}|{{.Comment}}|{{.Author}} made:1', { stdout: /\|third\|me\n/ }),
  {
    args: ['commit', '--change', 'RUN true', 'author'],
    exit: 1,
    stderr: /RUN is not a valid change command/,
    differs: { why: olderText, in: ['stderr'] },
  },
  step('commit nosuch', { exit: 1, stderr: /No such container: nosuch/ }),
  step('history --format {{.Comment}} made:1', {
    stdout: 'third\n\n',
    differs: { why: 'a parent without a history gets one, so that its layers are not this step’s', in: ['stdout'] },
  }),
  step('save nosuch', { exit: 1, stderr: /No such image: nosuch/ }),
  step('save busybox:none', { exit: 1, stderr: /reference does not exist/ }),
  step('rmi made:1 made:2', { stdout: /Untagged: made:1/ }),
  step('rm author', { stdout: 'author\n' }),
  // Logs
  script(
    'run --name talker --log-opt max-size=10k --log-opt max-file=2 busybox',
    'for i in 1 2 3; do echo line $i; done',
    {
      stdout: 'line 1\nline 2\nline 3\n',
    },
  ),
  step('logs --tail 1 talker', { stdout: 'line 3\n' }),
  step('inspect --format {{.HostConfig.LogConfig.Type}}|{{.HostConfig.LogConfig.Config}} talker', {
    stdout: 'json-file|map[max-file:2 max-size:10k]\n',
  }),
  step('rm talker', { stdout: 'talker\n' }),
  step('run --name silent --log-driver none busybox echo seen', { stdout: 'seen\n' }),
  step('logs silent', { exit: 1, stderr: /configured logging driver does not support reading/ }),
  step('rm silent', { stdout: 'silent\n' }),
  step('run --name compact --log-driver local --log-opt max-size=1m busybox echo packed', { stdout: 'packed\n' }),
  step('logs compact', { stdout: 'packed\n' }),
  step('rm compact', { stdout: 'compact\n' }),
  step('run --rm --log-driver nosuch busybox true', {
    exit: 125,
    stderr: /logger: no log driver named 'nosuch' is registered/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm --log-opt nosuch=1 busybox true', {
    exit: 125,
    stderr: /unknown log opt 'nosuch' for json-file log driver/,
  }),
  step('run --label which=attrs --log-opt labels=which --name labelled busybox echo x', { stdout: 'x\n' }),
  step('logs --details labelled', { stdout: 'which=attrs x\n' }),
  step('rm labelled', { stdout: 'labelled\n' }),
  step('run -d --name wellness --health-cmd=exit_0 --health-interval 100ms --health-retries 1 busybox sleep 1000', {
    stdout: '<id>\n',
  }),
  step('rm -f wellness', { stdout: 'wellness\n' }),
  step('import nosuch.tar', { exit: 1, stderr: /no such file or directory/ }),
];
