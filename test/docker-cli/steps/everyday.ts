import { script, step, until, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const ipv4Alone = { why: 'ports are published for IPv4 alone in this version', in: ['stdout'] } as const;

/** One container in the background, through all that is done with one. */
export const everydaySteps: readonly Step[] = [
  script(
    'run -d --name web -l tier=front -l app=shop -p 8099:80 -e COLOUR=red busybox',
    'echo first; echo second >&2; trap "exit 5" TERM; : > /dev/shm/set; while :; do sleep 0.1; done',
    { stdout: '<id>\n' },
  ),
  script('exec web', until('test -e /dev/shm/set')),
  step('ps --format {{.Names}}|{{.Image}}|{{.State}}|{{.Ports}}', {
    stdout: 'web|busybox|running|<address>:8099->80/tcp\n',
    differs: ipv4Alone,
  }),
  step('ps', {
    stdout:
      /^<id> {2}busybox {2}"sh -c 'echo first; …" {2}<while> ago {2}Up <while> {2}<address>:8099->80\/tcp {2}web$/m,
    differs: ipv4Alone,
  }),
  step('ps -q --no-trunc', { stdout: '<id>\n' }),
  step('ps -q --filter name=web', { stdout: '<id>\n' }),
  step('ps -q --filter label=tier=front', { stdout: '<id>\n' }),
  step('ps -q --filter label=tier=back', { stdout: '' }),
  step('ps -q --filter status=exited', { stdout: '' }),
  step('ps -q --filter ancestor=busybox', { stdout: '<id>\n' }),
  step('ps -q --filter ancestor=nosuch', { stdout: '' }),
  step('ps --filter status=wrong', {
    exit: 1,
    stderr: /[Ii]nvalid filter 'status=wrong'/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('ps -s --format {{.Names}}', { stdout: 'web\n' }),
  step('port web', {
    stdout: /80\/tcp -> <address>:8099/,
    differs: ipv4Alone,
  }),
  step('port web 80/tcp', {
    stdout: /<address>:8099/,
    differs: ipv4Alone,
  }),
  step('logs web', { stdout: 'first\n', stderr: 'second\n' }),
  step('logs --tail 0 web', { stdout: '' }),
  step('logs -t web', { stdout: '<time> first\n', stderr: '<time> second\n' }),
  step('logs --since 1h web', { stdout: 'first\n', stderr: 'second\n' }),
  step('logs --until 1h web', { stdout: '', stderr: '' }),
  step('logs -f web', {
    signal: { after: 'first\n', afterError: 'second\n', name: 'SIGKILL' },
    exit: 128,
    stdout: 'first\n',
    stderr: 'second\n',
  }),
  step('logs nosuch', {
    exit: 1,
    stderr: 'Error response from daemon: No such container: nosuch\n',
  }),
  step('exec web echo inside', { stdout: 'inside\n' }),
  script('exec web', 'echo $COLOUR', { stdout: 'red\n' }),
  script('exec -e COLOUR=blue web', 'echo $COLOUR', { stdout: 'blue\n' }),
  step('exec -w /tmp web pwd', { stdout: '/tmp\n' }),
  step('exec -u 5 web id -u', { stdout: '5\n' }),
  step('exec -i web cat', { input: 'piped\n', stdout: 'piped\n' }),
  step('exec -t web tty', { stdout: /^\/dev\/pts\/\d\n$/ }),
  step('exec -it web tty', {
    terminal: true,
    stdout: /^\/dev\/pts\/\d\n$/,
    differs: { why: 'dockerd’s terminal of the command before is not let go yet', in: ['stdout'] },
  }),
  script('exec web', 'echo o; echo e >&2; exit 7', { exit: 7, stdout: 'o\n', stderr: 'e\n' }),
  step('exec -d web touch /made'),
  script('exec web', until('test -e /made')),
  step('exec web nosuch', {
    exit: 127,
    stdout: /exec: "nosuch": executable file not found in \$PATH/,
    differs: { why: 'Debian’s dockerd is 20.10: later versions exit with 127 as we do', in: ['exit'] },
  }),
  step('exec nosuch true', { exit: 1, stderr: /No such container: nosuch/ }),
  step('diff web', { stdout: 'A /made\n' }),
  step('top web -o pid,comm', { stdout: /COMMAND/, differs: { why: 'the pids are this run’s', in: ['stdout'] } }),
  step('stats --no-stream --format {{.Name}} web', { stdout: 'web\n' }),
  step('inspect --format {{.Name}}|{{.State.Status}}|{{.State.Running}}|{{.Config.Image}}|{{.RestartCount}} web', {
    stdout: '/web|running|true|busybox|0\n',
  }),
  step('inspect --format {{.Config.Labels.tier}}|{{.HostConfig.RestartPolicy.Name}}|{{.Config.Tty}} web', {
    stdout: 'front|no|false\n',
  }),
  step('inspect --format {{.Path}}|{{.Config.Env}} web', { stdout: /^sh\|\[COLOUR=red PATH=/ }),
  step('inspect --format {{.HostConfig.PortBindings}} web', { stdout: /^map\[80\/tcp:\[\{\s+8099\}\]\]\n$/ }),
  step('inspect --format {{.NetworkSettings.Networks.bridge.IPAddress}} web', { stdout: '<address>\n' }),
  step('inspect nosuch', { exit: 1, stdout: '[]\n', stderr: 'Error: No such object: nosuch\n' }),
  step('network ls --filter name=bridge --format {{.Name}}|{{.Driver}}|{{.Scope}}', {
    stdout: 'bridge|bridge|local\n',
  }),
  step('volume ls -q', { stdout: '' }),
  step('rename web shop', {}),
  step('rename nosuch other', { exit: 1, stderr: /No such container: nosuch/ }),
  step('create --name shop busybox true', {
    exit: 1,
    stderr:
      /Conflict\. The container name "\/shop" is already in use by container "<id>"\. You have to remove \(or rename\) that container to be able to reuse that name\./,
  }),
  step('rm shop', {
    exit: 1,
    stderr: /You cannot remove a running container <id>\. Stop the container before attempting removal or force remove/,
  }),
  step('rmi busybox', {
    exit: 1,
    stderr:
      /conflict: unable to remove repository reference "busybox" \(must force\) - container <id> is using its referenced image <id>/,
  }),
  step('restart -t 60 shop', { stdout: 'shop\n' }),
  script('exec shop', until('test -e /dev/shm/set')),
  step('kill -s USR3 shop', {
    exit: 1,
    stderr: /[Ii]nvalid signal: USR3/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('stop -t 60 shop', { stdout: 'shop\n' }),
  step('stop shop', { stdout: 'shop\n' }),
  step('wait shop', { stdout: '5\n' }),
  step('ps -a --format {{.Names}}|{{.Status}}', { stdout: 'shop|Exited (5) <while> ago\n' }),
  step('ps -aq --filter exited=5', { stdout: '<id>\n' }),
  step('ps -aq --filter exited=0', { stdout: '' }),
  step('kill shop', { exit: 1, stderr: /is not running/, differs: { why: olderText, in: ['stderr'] } }),
  step('exec shop true', { exit: 1, stderr: /is not running/, differs: { why: olderText, in: ['stderr'] } }),
  step('top shop', { exit: 1, stderr: /is not running/, differs: { why: olderText, in: ['stderr'] } }),
  step('start shop', { stdout: 'shop\n' }),
  step('kill shop', { stdout: 'shop\n' }),
  step('wait shop', { stdout: '137\n' }),
  step('rm shop', { stdout: 'shop\n' }),
  step('rm shop', { exit: 1, stderr: /No such container: shop/ }),
  step('rm -f shop', { stderr: /No such container: shop/ }),
];
