import { script, step, until, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const olderPeer = 'Debian’s dockerd is 20.10: its API is older than the option';

/** Options of `docker run` that other groups leave out: files, restarts, health, ports, signals. */
export const optionSteps: readonly Step[] = [
  script('run --rm --env-file vars busybox', 'echo $COLOUR/$SIZE', {
    files: { vars: '# what it is\nCOLOUR=red\nSIZE=9\n' },
    stdout: 'red/9\n',
  }),
  script('run --rm --env-file vars -e COLOUR=blue busybox', 'echo $COLOUR/$SIZE', { stdout: 'blue/9\n' }),
  step('run --rm --env-file nosuch busybox true', { exit: 125, stderr: /no such file or directory/ }),
  step('run -d --name marked --label-file marks --label kind=own busybox sleep 1000', {
    files: { marks: 'kind=file\nplace=hold\n' },
    stdout: '<id>\n',
  }),
  { args: ['inspect', '--format', '{{json .Config.Labels}}', 'marked'], stdout: '{"kind":"own","place":"hold"}\n' },
  step('rm -f marked', { stdout: 'marked\n' }),
  step('create --cidfile cid --name noted busybox true', { stdout: '<id>\n' }),
  step('create --cidfile cid busybox true', { exit: 1, stderr: /container ID file found/ }),
  step('rm noted', { stdout: 'noted\n' }),
  // Ports
  step('run -d --name ports -P --expose 81/udp --expose 82-83 busybox sleep 1000', { stdout: '<id>\n' }),
  {
    args: ['inspect', '--format', '{{range $k, $v := .NetworkSettings.Ports}}{{$k}} {{end}}', 'ports'],
    stdout: '81/udp 82/tcp 83/tcp\n',
  },
  { args: ['inspect', '--format', '{{.HostConfig.PublishAllPorts}}', 'ports'], stdout: 'true\n' },
  step('port ports 84', { exit: 1, stderr: /No public port '84' published for ports/ }),
  step('rm -f ports', { stdout: 'ports\n' }),
  step('run --rm -p 127.0.0.1::80 busybox true'),
  step('run --rm --expose nonsense busybox true', { exit: 125, stderr: /invalid/ }),
  // Signals and init
  script(
    'run -d --name signalled --stop-signal USR1 --stop-timeout 20 busybox',
    'trap "exit 6" USR1; touch /set; while :; do sleep 0.1; done',
    { stdout: '<id>\n' },
  ),
  script('exec signalled', until('test -e /set')),
  step('inspect --format {{.Config.StopSignal}}|{{.Config.StopTimeout}} signalled', { stdout: 'USR1|20\n' }),
  step('stop signalled', { stdout: 'signalled\n' }),
  step('wait signalled', { stdout: '6\n' }),
  step('stop --signal HUP signalled', { stdout: 'signalled\n' }),
  step('rm signalled', { stdout: 'signalled\n' }),
  script('run --rm --stop-signal NOSUCH busybox', 'true', {
    exit: 125,
    stderr: /invalid signal: NOSUCH/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  script(
    'run --rm --init busybox',
    'sh -c "sleep 0.1 & exec true"; while ps -o stat,args | grep -q "^Z\\|[s]leep 0.1$"; do sleep 0.05; done; echo reaped',
    { stdout: 'reaped\n' },
  ),
  // Restarts
  script(
    'run -d --name thrice --restart on-failure:2 -v sign:/sign busybox',
    'echo go; echo x >> /sign/starts; test $(wc -l < /sign/starts) -lt 3 && exit 3; exec sleep 1000',
    { stdout: '<id>\n' },
  ),
  script('run --rm -v sign:/sign busybox', until('test "$(cat /sign/starts | wc -l)" -ge 3')),
  step('inspect --format {{.RestartCount}}|{{.State.Restarting}} thrice', { stdout: '2|false\n' }),
  step('logs thrice', { stdout: 'go\ngo\ngo\n' }),
  step('rm -f thrice', { stdout: 'thrice\n' }),
  step('volume rm sign', { stdout: 'sign\n' }),
  step('run -d --name ever --restart unless-stopped busybox sleep 1000', { stdout: '<id>\n' }),
  step('kill ever', { stdout: 'ever\n' }),
  step('wait ever', { stdout: '137\n' }),
  step('inspect --format {{.State.Status}}|{{.RestartCount}} ever', { stdout: 'exited|0\n' }),
  step('rm ever', { stdout: 'ever\n' }),
  step('run --restart always:3 busybox true', {
    exit: 125,
    stderr: /invalid restart policy: maximum retry count can only be used with 'on-failure'/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  // Health
  {
    args: [
      ...['run', '-d', '--name', 'patient', '--health-cmd', 'echo x >> /checks; test -e /well'],
      ...['--health-interval', '100ms', '--health-retries', '2', '--health-timeout', '60s', 'busybox', 'sleep', '1000'],
    ],
    stdout: '<id>\n',
  },
  script('exec patient', until('test "$(cat /checks 2>/dev/null | wc -l)" -ge 4')),
  step('ps --filter health=unhealthy --format {{.Names}}|{{.Status}}', { stdout: 'patient|Up <while> (unhealthy)\n' }),
  {
    args: ['inspect', '--format', '{{.State.Health.Status}}|{{(index .State.Health.Log 0).ExitCode}}', 'patient'],
    stdout: 'unhealthy|1\n',
  },
  script('exec patient', `touch /well; : > /checks; ${until('test "$(cat /checks | wc -l)" -ge 3')}`),
  step('inspect --format {{.State.Health.Status}}|{{.State.Health.FailingStreak}} patient', { stdout: 'healthy|0\n' }),
  step('ps --filter health=none -q', { stdout: '' }),
  step('rm -f patient', { stdout: 'patient\n' }),
  step('create --name unchecked --no-healthcheck busybox true', { stdout: '<id>\n' }),
  step('inspect --format {{.Config.Healthcheck.Test}} unchecked', { stdout: '[NONE]\n' }),
  step('rm unchecked', { stdout: 'unchecked\n' }),
  step('create --health-cmd true --health-interval 1us busybox true', {
    exit: 1,
    stderr: /Interval in Healthcheck cannot be less than 1ms/,
  }),
  // Streams, names, places
  script('run --rm -a stdout busybox', 'echo out; echo err >&2', { stdout: 'out\n', stderr: '' }),
  script('run --rm -a stderr busybox', 'echo out; echo err >&2', { stdout: '', stderr: 'err\n' }),
  step('run -d -a stdout busybox true', {
    exit: 1,
    stderr: /conflicting options: cannot specify both --attach and --detach/,
  }),
  step('run --pull never nosuch', { exit: 125, stderr: /No such image: nosuch:latest/ }),
  step('run --rm --platform linux/amd64 busybox true'),
  script('run --rm --mac-address 02:42:ac:11:00:99 busybox', 'tr : - < /sys/class/net/eth0/address', {
    stdout: '02-42-ac-11-00-99\n',
    differs: { why: olderPeer, in: ['exit', 'stdout', 'stderr'] },
  }),
  step('run --rm -w relative busybox true', {
    exit: 125,
    stderr: /the working directory 'relative' is invalid, it needs to be an absolute path/,
  }),
  step('run --rm -u nosuch busybox true', {
    exit: 125,
    stderr: /unable to find user nosuch: no matching entries in passwd file/,
  }),
  step('run --rm --device-cgroup-rule nonsense busybox true', {
    exit: 125,
    stderr: /invalid device cgroup format 'nonsense'/,
  }),
  { args: ['run', '--rm', '--device-cgroup-rule', 'c 1:3 rwm', 'busybox', 'true'] },
  script('run --rm --tmpfs /x:size=1m,mode=700,uid=5 busybox', 'stat -c %a:%u /x', { stdout: '700:5\n' }),
  step('run -d --name server -e PLACE=hold busybox sleep 1000', { stdout: '<id>\n' }),
  script('run --rm --name guest --link server:db busybox', 'grep -cw db /etc/hosts; env | grep DB_ | sort', {
    stdout: '1\nDB_ENV_PLACE=hold\nDB_NAME=/guest/db\n',
  }),
  step('rm -f server', { stdout: 'server\n' }),
];
