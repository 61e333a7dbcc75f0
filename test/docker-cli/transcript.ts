import { script, step, type Step } from './step.ts';
import { fileSteps } from './steps/files.ts';
import { isolationSteps } from './steps/isolation.ts';
import { networkSteps } from './steps/networks.ts';
import { resourceSteps } from './steps/resources.ts';
import { volumeSteps } from './steps/volumes.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const noPull = 'this version pulls no images; dockerd asks a registry, which is not there';

/** The everyday commands, in the order in which they are run against one engine. */
export const transcript: readonly Step[] = [
  // Images
  step('image ls', { stdout: /^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE\nbusybox\s+latest/ }),
  step('images -q', { stdout: '<id>\n' }),
  step('images --no-trunc -q', { stdout: 'sha256:<digest>\n' }),
  step('images --format {{.Repository}}:{{.Tag}}', { stdout: 'busybox:latest\n' }),
  step('images busybox:none', { stdout: 'REPOSITORY  TAG  IMAGE ID  CREATED  SIZE\n' }),
  step('images --filter dangling=true -q', { stdout: '' }),
  step('images --filter reference=busy* -q', { stdout: '<id>\n' }),
  step('tag busybox copy:2'),
  step('tag nosuch copy:3', { exit: 1, stderr: 'Error response from daemon: No such image: nosuch:latest\n' }),
  step('tag busybox UPPER', {
    exit: 1,
    stderr: /invalid reference format: repository name \(library\/UPPER\) must be lowercase/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('image inspect --format {{.Os}}/{{.Config.Cmd}}/{{.RepoTags}} busybox', {
    stdout: 'linux/[sh]/[busybox:latest copy:2]\n',
  }),
  step('image inspect --format {{.Id}} copy:2', { stdout: 'sha256:<digest>\n' }),
  step('image inspect nosuch', {
    exit: 1,
    stdout: '[]\n',
    stderr: /No such image: nosuch/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('history -q busybox', { stdout: '' }),
  step('rmi copy:2', { stdout: 'Untagged: copy:2\n' }),
  step('rmi copy:2', { exit: 1, stderr: /No such image: copy:2/ }),
  // Run in the foreground
  step('run --rm busybox echo hi', { stdout: 'hi\n' }),
  script('run --rm busybox', 'echo out; echo err >&2; exit 3', { exit: 3, stdout: 'out\n', stderr: 'err\n' }),
  step('run --rm -i busybox cat', { input: 'through\n', stdout: 'through\n' }),
  step('run --rm -i busybox wc -c', { input: 'x'.repeat(300_000), stdout: '300000\n' }),
  step('run --rm -t busybox tty', { stdout: '/dev/pts/0\n' }),
  step('run --rm -it busybox tty', { terminal: true, stdout: '/dev/pts/0\n' }),
  step('run --rm -e ONE=1 -e TWO=zwei busybox env', {
    stdout: /^(?=[^]*ONE=1)(?=[^]*TWO=zwei)/,
    differs: { why: 'the client sends the variables in any order', in: ['stdout'] },
  }),
  step('run --rm -w /tmp busybox pwd', { stdout: '/tmp\n' }),
  step('run --rm -u nobody busybox id -u', { stdout: '65534\n' }),
  step('run --rm -u 5:7 busybox id', {
    stdout: /uid=5 gid=7/,
    differs: { why: 'dockerd gives the primary group as an additional one, too', in: ['stdout'] },
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
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('ps -aq', { stdout: '' }),
  // A container in the background
  script(
    'run -d --name web -l tier=front -l app=shop -p 8099:80 -e COLOUR=red busybox',
    'echo first; echo second >&2; trap "exit 5" TERM; while :; do sleep 0.1; done',
    { stdout: '<id>\n' },
  ),
  step('ps --format {{.Names}}|{{.Image}}|{{.State}}|{{.Ports}}', {
    stdout: /^web\|busybox\|running\|0\.0\.0\.0:8099->80\/tcp|<address>:8099->80\/tcp/,
  }),
  step('ps', { stdout: /Up <while>/ }),
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
    differs: { why: 'ports are published for IPv4 alone in this version', in: ['stdout'] },
  }),
  step('port web 80/tcp', {
    stdout: /<address>:8099/,
    differs: { why: 'ports are published for IPv4 alone in this version', in: ['stdout'] },
  }),
  step('logs web', { stdout: 'first\n', stderr: 'second\n' }),
  step('logs --tail 0 web', { stdout: '' }),
  step('logs -t web', { stdout: '<time> first\n', stderr: '<time> second\n' }),
  step('logs --since 1h web', { stdout: 'first\n', stderr: 'second\n' }),
  step('logs --until 1h web', { stdout: '', stderr: '' }),
  step('logs -f web', { forMs: 1500, stdout: 'first\n', stderr: 'second\n' }),
  step('logs nosuch', {
    exit: 1,
    stderr: 'Error response from daemon: No such container: nosuch\n',
    differs: { why: olderText, in: ['stderr'] },
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
  step('exec web nosuch', {
    exit: 127,
    stdout: /exec: "nosuch": executable file not found in \$PATH/,
    differs: { why: olderText, in: ['exit', 'stdout'] },
  }),
  step('exec nosuch true', {
    exit: 1,
    stderr: /No such container: nosuch/,
    differs: { why: olderText, in: ['stderr'] },
  }),
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
  step('restart -t 5 shop', { stdout: 'shop\n' }),
  step('kill -s USR3 shop', {
    exit: 1,
    stderr: /[Ii]nvalid signal: USR3/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('stop -t 5 shop', { stdout: 'shop\n' }),
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
  step('rm shop', { exit: 1, stderr: /No such container: shop/, differs: { why: olderText, in: ['stderr'] } }),
  step('rm -f shop', { stderr: /No such container: shop/, differs: { why: olderText, in: ['stderr'] } }),
  ...isolationSteps,
  ...resourceSteps,
  ...volumeSteps,
  ...networkSteps,
  ...fileSteps,
  // What this version does not have is refused by name
  step('pull busybox', {
    exit: 1,
    stderr: /is not in this version/,
    differs: { why: noPull, in: ['stderr', 'stdout'] },
  }),
  // Created, started later
  step('create --name later -i busybox cat', { stdout: '<id>\n' }),
  step('ps -a --format {{.Names}}|{{.Status}}', { stdout: 'later|Created\n' }),
  step('start -ai later', { input: 'late\n', stdout: 'late\n' }),
  step('logs later', { stdout: 'late\n' }),
  step('ps -n 1 --format {{.Names}}', { stdout: 'later\n' }),
  step('container prune -f', { stdout: /Deleted Containers:\n<id>\n\nTotal reclaimed space: 0B\n/ }),
  step('run -d --name always --restart on-failure:1 busybox false', { stdout: '<id>\n' }),
  step('wait always', { stdout: '1\n' }),
  step('run -d --rm --name gone busybox sleep 60', { stdout: '<id>\n' }),
  step('rm -f gone', { stdout: 'gone\n' }),
  step('run -d --name check --health-cmd true --health-interval 200ms busybox sleep 60', { stdout: '<id>\n' }),
  step('inspect --format {{.Config.Healthcheck.Test}}|{{.Config.Healthcheck.Interval}} check', {
    stdout: '[CMD-SHELL true]|200ms\n',
  }),
  step('rm -f always check', { stdout: 'always\ncheck\n' }),
  step('run --cidfile /nosuch/file busybox true', { exit: 127, stderr: /container ID file/ }),
  // The system
  step('version --format {{.Client.Version}}', { stdout: /^\d/ }),
  step('info --format {{.Containers}}|{{.Images}}|{{.OSType}}|{{.Swarm.LocalNodeState}}', {
    stdout: '0|1|linux|inactive\n',
  }),
  step('system df --format {{.Type}}|{{.TotalCount}}', {
    stdout: 'Images|1\nContainers|0\nLocal Volumes|0\nBuild Cache|0\n',
  }),
  step('events --since 1h --filter container=later --format {{.Action}}', {
    forMs: 1500,
    stdout: /create\nattach\nstart\ndie\ndestroy\n/,
  }),
  step('node ls', { exit: 1, stderr: /This node is not a swarm manager/ }),
  step('service ls', { exit: 1, stderr: /This node is not a swarm manager/ }),
  step('network inspect nosuch', {
    exit: 1,
    stdout: '[]\n',
    stderr: /network nosuch not found/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('volume inspect nosuch', {
    exit: 1,
    stdout: '[]\n',
    stderr: /no such volume/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('image prune -f', { stdout: 'Total reclaimed space: 0B\n' }),
  step('rmi busybox', {
    stdout: /^Untagged: busybox:latest\nDeleted: sha256:<digest>/,
    differs: { why: 'dockerd names each layer; here an image has no parts of its own', in: ['stdout'] },
  }),
];
